import {
  type ConsoleAccess,
  type ConsoleClients,
  createConsoleClients,
  findIdentity,
  invokeFunction,
  readLogEvents,
  readLogGroup,
  readOutputs,
  readVariable,
  startFunction,
} from '../adapters/aws/console.ts';
import { createSystemClock } from '../adapters/system.ts';
import { type DeploymentSettings, parseDeploymentSettings } from '../core/config/deployment-settings.ts';
import { nearestWord } from '../core/config/describe-issues.ts';
import { UsageError } from '../core/errors.ts';
import { readOperateReply } from '../pipeline/operate/reply.ts';
import type { AskOperator, OperateExchanges } from '../ports/operator.ts';
import type { Clock } from '../ports/process.ts';

/** A stage as it stands in an account, found by its stack alone. */
export interface DeployedStage {
  readonly account: string;
  readonly region: string;
  readonly stage: string;
  readonly settings: DeploymentSettings;
  /**
   * Name in this repository → name of the function.
   * The record holds `operate` and as many others as the deployment tells.
   */
  readonly functions: Readonly<Record<string, string>>;
  readonly clients: ConsoleClients;
  readonly clock: Clock;
  /** Asks the function `operate`, which has the database. */
  readonly ask: AskOperator;
  /**
   * The line that a person types to give this deployment another `freshet aws` command.
   * The line names this access: stage, region and profile, as far as they were given.
   */
  readonly lineOf: (words: string) => string;
}

interface DeploymentRequest extends ConsoleAccess {
  readonly stage: string;
}

/** What tests give in place of AWS and of time. */
export interface ConsoleDependencies {
  readonly createClients: (access: ConsoleAccess) => ConsoleClients;
  readonly clock: Clock;
}

const OUTPUT = 'OperateFunctionName';

/**
 * Finds a stage by its stack, and opens what commands need of it.
 * `onIdentity` is told account and region before anything else is asked of AWS.
 * @throws UsageError where there are no credentials, no such stack, or not the rights.
 */
export async function openDeployment(
  request: DeploymentRequest,
  onIdentity: (identity: { readonly account: string; readonly region: string }) => void,
  dependencies?: ConsoleDependencies,
): Promise<DeployedStage> {
  const { createClients, clock } = dependencies ?? {
    createClients: createConsoleClients,
    clock: createSystemClock(),
  };
  const clients = createClients(request);
  const identity = await findIdentity(clients.sts);
  onIdentity(identity);
  const stackName = `freshet-${request.stage}`;
  const outputs = await readOutputs(clients.cloudFormation, stackName);
  if (outputs === undefined)
    throw new UsageError(
      `There is no stack ${stackName} in ${identity.region} of account ${identity.account}.`,
      '--stage and --region name another one; this one is made by: ' +
        `npm run deploy -- --stage ${request.stage}`,
    );
  const operate = outputs.get(OUTPUT);
  if (operate === undefined)
    throw new UsageError(
      `The stack ${stackName} has no output ${OUTPUT}: it was deployed by an older version.`,
      `npm run deploy -- --stage ${request.stage}`,
    );
  const settings = parseDeploymentSettings(await readVariable(clients.lambda, operate, 'FRESHET_DEPLOYMENT'));
  const ask = async (name: string, details: object) =>
    readOperateReply(await invokeFunction(clients.lambda, operate, { request: name, ...details }));
  const functions = { ...settings.functions, operate };
  return {
    ...identity,
    stage: request.stage,
    settings,
    functions,
    clients,
    clock,
    ask: ask as AskOperator,
    lineOf: words => `npm run freshet -- aws ${words}${describeAccess(request)}`,
  };
}

function describeAccess({ stage, region, profile }: DeploymentRequest): string {
  const named = Object.entries({ stage, region, profile }).filter(([, value]) => value !== undefined);
  return named.map(([name, value]) => ` --${name} ${value}`).join('');
}

/**
 * Sets the walk over the keys back to the lowest key and begins it now.
 * The schedules take the walk further.
 * @throws UsageError where the deployment does not say which function detects.
 */
export async function startBackfill(
  { ask, functions, clients, stage }: DeployedStage,
  selection: OperateExchanges['backfill']['request'],
): Promise<OperateExchanges['backfill']['answer']> {
  const detect = functions.detect;
  if (detect === undefined)
    throw new UsageError(
      'The deployment does not say which function detects: it was made by an older version.',
      `npm run deploy -- --stage ${stage}`,
    );
  const answer = await ask('backfill', selection);
  const sources = [...new Set(answer.spaces.map(({ source }) => source))];
  await startFunction(clients.lambda, detect, { pass: 'reconcile', sources });
  return answer;
}

const LOOK_EVERY_MS = 2000;
/**
 * Milliseconds by which each look begins before the latest event seen.
 * Events arrive late and out of order.
 */
const OVERLAP_MS = 60_000;
/** Matches lines of our own logger, and nothing of the runtime's or of the metrics. */
const OURS = '{ $.event = "*" }';
const TROUBLE = '{ ($.level = "WARN") || ($.level = "ERROR") }';

interface FollowRequest {
  /** `detect`, `embed`, …; undefined: all functions. */
  readonly component: string | undefined;
  /** Milliseconds since the epoch. */
  readonly sinceMs: number;
  readonly follow: boolean;
  readonly troubleOnly: boolean;
  readonly signal: AbortSignal;
  readonly onLine: (line: {
    readonly component: string;
    readonly atMs: number;
    readonly message: string;
  }) => void;
}

/**
 * Reads lines of the functions' logs; with `follow` until the signal aborts.
 * Lines are in the order of time within a look.
 * @throws UsageError for a function that the deployment does not have.
 */
export async function followLogs(deployment: DeployedStage, request: FollowRequest): Promise<void> {
  const { clients, clock } = deployment;
  const groups = await chooseGroups(deployment, request.component);
  const seen = new Map<string, number>();
  let latestMs = request.sinceMs;
  for (;;) {
    const sinceMs = Math.max(request.sinceMs, latestMs - OVERLAP_MS);
    const lines: Parameters<FollowRequest['onLine']>[0][] = [];
    for (const [component, logGroup] of groups) {
      const filter = request.troubleOnly ? TROUBLE : OURS;
      for await (const event of readLogEvents(clients.logs, { logGroup, sinceMs, filter })) {
        if (seen.has(event.eventId)) continue;
        seen.set(event.eventId, event.atMs);
        latestMs = Math.max(latestMs, event.atMs);
        lines.push({ component, atMs: event.atMs, message: event.message });
      }
    }
    lines.sort((a, b) => a.atMs - b.atMs).forEach(request.onLine);
    for (const [id, atMs] of seen) if (atMs < latestMs - OVERLAP_MS) seen.delete(id);
    if (!request.follow || request.signal.aborted) return;
    await clock.sleep(LOOK_EVERY_MS, request.signal);
    if (request.signal.aborted) return;
  }
}

async function chooseGroups(
  { functions, clients }: DeployedStage,
  component: string | undefined,
): Promise<[component: string, logGroup: string][]> {
  const chosen = Object.entries(functions).filter(([name]) => component === undefined || name === component);
  if (chosen.length > 0)
    return Promise.all(
      chosen.map(async ([name, functionName]) => [name, await readLogGroup(clients.lambda, functionName)]),
    );
  throw unknownName('function', component, Object.keys(functions));
}

/** An error for an option with a name that nothing has; suggests the nearest known name. */
export function unknownName(
  option: 'function' | 'queue',
  name: string | undefined,
  known: readonly string[],
): UsageError {
  const nearest = nearestWord(name ?? '', known);
  const question = nearest === undefined ? '' : ` Did you mean ${nearest}?`;
  const list = option === 'queue' ? 'Queues' : 'Functions';
  return new UsageError(
    `--${option} ${JSON.stringify(name)}: there is no such ${option}.${question}`,
    `${list}: ${known.join(', ')}`,
  );
}
