import { API_CONNECTIONS, type DeployedName, LAMBDA_CONNECTIONS } from './deployment-settings.ts';

/** `maxConcurrency` of a stage, as somebody writes it. */
export interface ConcurrencyInput {
  /** Environments at once of each model's queue of edits. Default: 4. */
  readonly fresh?: number | undefined;
  /** Environments at once of each model's queue of backfills. Default: 8. */
  readonly bulk?: number | undefined;
  /** Environments at once of all queues of all models together, in place of `fresh` and `bulk`. */
  readonly embed?: number | undefined;
  /** Environments at once of `write`. Default: 6. */
  readonly write?: number | undefined;
}

/** Environments that the event source mapping of each queue starts at most. */
interface Concurrency {
  readonly fresh: number;
  readonly bulk: number;
  readonly write: number;
}

/** The least that Lambda takes for one event source mapping. */
const LEAST = 2;

/** The least that `embed` must bound: two for each of a model's two queues. */
function leastEmbed(models: number): number {
  return models * 2 * LEAST;
}

/**
 * Gives each event source mapping its share.
 * Lambda has no bound for several mappings together. Reserving concurrency would be one, and what
 * it throttles counts as received: five such receives make a dead letter of a message that nobody
 * tried. So a bound on all is shared out: the same for each model, a third of it for edits, as the
 * defaults have it. What does not divide is left over.
 */
export function shareConcurrency(models: number, input: ConcurrencyInput): Concurrency {
  const { fresh = 4, bulk = 8, embed, write = 6 } = input;
  if (embed === undefined) return { fresh, bulk, write };
  const share = Math.max(Math.floor(embed / models), 2 * LEAST);
  const edits = Math.max(LEAST, Math.floor(share / 3));
  return { fresh: edits, bulk: share - edits, write };
}

interface PlannedConnections {
  readonly maxConcurrency: ConcurrencyInput;
  /** Ticks of `detect` that its schedules can run at the same time. */
  readonly scheduledTicks: number;
  readonly maxConnections: number;
  /** Environments at once of the service for clients. Undefined: the stage has none. */
  readonly apiEnvironments?: number | undefined;
}

/**
 * Counts the execution environments that each function can have at once, of one generation.
 * A frozen environment keeps its connections. An operator can also start `detect` (`backfill`,
 * `reset`) and `operate`, one at a time. `migrate` runs during a deployment, beside all the others.
 */
function countEnvironments(
  models: number,
  { maxConcurrency, scheduledTicks, apiEnvironments }: PlannedConnections,
): Readonly<Partial<Record<DeployedName, number>>> {
  const { fresh, bulk, write } = shareConcurrency(models, maxConcurrency);
  return {
    detect: scheduledTicks + 1,
    embed: models * (fresh + bulk),
    write,
    guard: 1,
    migrate: 1,
    operate: 1,
    ...(apiEnvironments !== undefined && { api: apiEnvironments }),
  };
}

const CONNECTIONS: Readonly<Record<DeployedName, number>> = { ...LAMBDA_CONNECTIONS, api: API_CONNECTIONS };

/**
 * Finds a stage that could take more connections than it may, and says the number to set.
 * After a deployment the environments of the version before hold theirs until Lambda reclaims them
 * or the server ends the idle sessions, so that every function but `migrate` counts twice.
 */
export function findTooManyConnections(models: number, planned: PlannedConnections): string[] {
  const { maxConnections, maxConcurrency } = planned;
  const least = leastEmbed(models);
  if (maxConcurrency.embed !== undefined && maxConcurrency.embed < least)
    return [
      `maxConcurrency.embed is ${maxConcurrency.embed}, and ${models} models take ${least} at least: ` +
        `Lambda starts ${LEAST} environments or more for each of a model's two queues. Give that many.`,
    ];
  const { fresh, bulk, write } = shareConcurrency(models, maxConcurrency);
  const environments = Object.entries(countEnvironments(models, planned)) as [DeployedName, number][];
  const held = environments.map(([name, count]) => ({
    name,
    connections: count * CONNECTIONS[name] * (name === 'migrate' ? 1 : 2),
  }));
  const connections = held.reduce((sum, part) => sum + part.connections, 0);
  if (connections < maxConnections) return [];
  const orFewer = planned.apiEnvironments === undefined ? '' : ', or api.environments';
  const parts = held.map(part => `${part.name} ${part.connections}`).join(' + ');
  return [
    `The functions can hold ${connections} database connections at once, those of the version before a ` +
      `deployment included (${parts}; embed has ${models} model${models === 1 ? '' : 's'} × ` +
      `(fresh ${fresh} + bulk ${bulk}), write ${write}), and database.maxConnections is ${maxConnections}: ` +
      `set database.maxConnections to ${connections + 1} or more if the server allows it, or lower ` +
      `maxConcurrency, down to embed: ${least}${orFewer}.`,
  ];
}
