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
import { deploymentLine, lineOnStage, type StageAddress, stackNameOf } from '../core/own-command.ts';
import { readOperateReply } from '../pipeline/operate/reply.ts';
import type { AskOperator, OperateExchanges } from '../ports/operator.ts';
import type { Clock } from '../ports/process.ts';

/** A stage as it stands in an account, found by its stack alone. */
export interface DeployedStage {
  readonly account: string;
  readonly region: string;
  readonly stage: string;
  /** The line that deploys the stage again. */
  readonly deploymentLine: string;
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
   * The line names this access: stack, stage, region and profile, as far as they were given.
   */
  readonly lineOf: (words: string) => string;
}

interface DeploymentRequest extends ConsoleAccess {
  /** Undefined: `dev`, or the only stage of the stack that is named. */
  readonly stage: string | undefined;
  /** The stack of an app of one's own. Undefined: what `npm run deploy` makes of the stage. */
  readonly stack?: string | undefined;
}

/** What tests give in place of AWS and of time. */
export interface ConsoleDependencies {
  readonly createClients: (access: ConsoleAccess) => ConsoleClients;
  readonly clock: Clock;
}

/**
 * Finds a stage by its stack, and opens what commands need of it.
 * `onIdentity` is told account and region before anything else is asked of AWS.
 * @throws UsageError where there are no credentials, no such stack, no such stage in it, or not the
 *   rights.
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
  const { operate, settings } = await findStage(clients, request, identity);
  const ask = async (name: string, details: object) =>
    readOperateReply(await invokeFunction(clients.lambda, operate, { request: name, ...details }));
  const address: StageAddress = { stage: request.stage ?? settings.stage, stack: request.stack };
  return {
    ...identity,
    stage: address.stage,
    deploymentLine: deploymentLine(address),
    settings,
    functions: { ...settings.functions, operate },
    clients,
    clock,
    ask: ask as AskOperator,
    lineOf: words => `${lineOnStage(words, address)}${describeAccess(request)}`,
  };
}

function describeAccess({ region, profile }: ConsoleAccess): string {
  const named = Object.entries({ region, profile }).filter(([, value]) => value !== undefined);
  return named.map(([name, value]) => ` --${name} ${value}`).join('');
}

/** Name of the output by which a stage is found, as the construct gives it. */
const OUTPUT = 'OperateFunctionName';

/**
 * The key of that output in a template.
 * In a stack of one's own, the CDK puts the path of the construct before it and a hash behind it.
 */
const OUTPUT_KEY = new RegExp(`^[A-Za-z0-9]*${OUTPUT}([0-9A-F]{8})?$`);

interface FoundStage {
  /** Name of the function `operate`. */
  readonly operate: string;
  readonly settings: DeploymentSettings;
}

/**
 * Finds the stage among those that a stack holds, each of which has a function `operate`.
 * @throws UsageError where there is no such stack, no stage, another one, or a choice to make
 */
async function findStage(
  clients: ConsoleClients,
  { stage, stack }: DeploymentRequest,
  { account, region }: { readonly account: string; readonly region: string },
): Promise<FoundStage> {
  const name = stack ?? stackNameOf(stage ?? 'dev');
  const deploy = deploymentLine({ stage: stage ?? 'dev', stack });
  const outputs = await readOutputs(clients.cloudFormation, name);
  if (outputs === undefined)
    throw new UsageError(
      `There is no stack ${name} in ${region} of account ${account}.`,
      `--stage, --stack and --region name another one; this one is made by: ${deploy}`,
    );
  const found = await Promise.all(
    [...outputs].flatMap(([key, operate]) => (OUTPUT_KEY.test(key) ? [readStage(clients, operate)] : [])),
  );
  if (found.length === 0)
    throw new UsageError(
      `The stack ${name} has no output ${OUTPUT}: it was deployed by an older version` +
        (stack === undefined ? '.' : ', or its construct is in a nested stack, which has another name.'),
      deploy,
    );
  const stages = found.map(({ settings }) => settings.stage);
  const chosen = found.filter(
    ({ settings }) =>
      (stack === undefined && found.length === 1) || settings.stage === (stage ?? settings.stage),
  );
  if (chosen.length === 1) return chosen[0]!;
  throw new UsageError(
    stage === undefined
      ? `The stack ${name} holds ${stages.length} stages: ${stages.join(', ')}.`
      : `The stack ${name} holds no stage ${stage}, but ${stages.join(', ')}.`,
    `Name one of them with --stage, such as --stage ${stages[0]}.`,
  );
}

async function readStage({ lambda }: ConsoleClients, operate: string): Promise<FoundStage> {
  const settings = parseDeploymentSettings(await readVariable(lambda, operate, 'FRESHET_DEPLOYMENT'));
  return { operate, settings };
}

/**
 * Sets the walk over the keys back to the lowest key and begins it now.
 * The schedules take the walk further.
 * @throws UsageError where the deployment does not say which function detects.
 */
export async function startBackfill(
  deployment: DeployedStage,
  selection: OperateExchanges['backfill']['request'],
): Promise<OperateExchanges['backfill']['answer']> {
  requireDetect(deployment);
  const answer = await deployment.ask('backfill', selection);
  const sources = [...new Set(answer.spaces.map(({ source }) => source))];
  await startDetect(deployment, { pass: 'reconcile', sources });
  return answer;
}

/**
 * Starts the function that detects, and does not wait for its end.
 * @throws UsageError where the deployment does not say which function detects.
 */
export async function startDetect(deployment: DeployedStage, request: object): Promise<void> {
  await startFunction(deployment.clients.lambda, requireDetect(deployment), request);
}

function requireDetect({ functions: { detect }, deploymentLine }: DeployedStage): string {
  if (detect !== undefined) return detect;
  throw new UsageError(
    'The deployment does not say which function detects: it was made by an older version.',
    deploymentLine,
  );
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
