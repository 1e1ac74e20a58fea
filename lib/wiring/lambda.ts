import type { startNudged } from '../adapters/aws/start-nudged.ts';
import type { SqlDatabase } from '../adapters/sql/database.ts';
import { createJsonLogger, createSystemClock } from '../adapters/system.ts';
import type { ComponentName } from '../core/config/deployment-settings.ts';
import { FreshetError } from '../core/errors.ts';
import { toFreshetError } from '../pipeline/failures.ts';

/** What a function is given from outside. Tests of the built bundles give their own. */
export interface LambdaDependencies {
  readonly variables: Readonly<Record<string, string | undefined>>;
  /** The folder that `freshet.config.json` lies in. */
  readonly directory: string;
  /**
   * Writes a line, which is given without its line end.
   * The console must not be used, because the runtime wraps its lines into objects. Lines of
   * metrics must stay as they are.
   */
  readonly writeLine: (line: string) => void;
  /** Undefined: the server that the deployment names. */
  readonly openDatabase?: (() => Promise<SqlDatabase>) | undefined;
  /** Undefined: the API of Lambda in the region of the deployment. */
  readonly lambda?: Parameters<typeof startNudged>[0] | undefined;
}

/** Reads what Lambda gives a function: its variables, its folder and standard output. */
export function readLambdaDependencies(): LambdaDependencies {
  return {
    variables: process.env,
    directory: process.env.LAMBDA_TASK_ROOT ?? process.cwd(),
    writeLine: line => void process.stdout.write(`${line}\n`),
  };
}

/**
 * Describes what the settings of a deployment lack, as `has no eventSources`.
 * An older version made such settings: deploying again mends them.
 */
export function missingSetting(lack: string): FreshetError {
  return new FreshetError(`FRESHET_DEPLOYMENT ${lack}: deploy the stack again.`, {
    failureClass: 'stop',
    code: 'bad_deployment_settings',
  });
}

/** The ports of a function with what they rest on. */
export interface Wired<Ports> {
  readonly ports: Ports;
  /** Whether what was opened still answers. Never rejects. */
  readonly isAlive: () => Promise<boolean>;
  readonly close: () => Promise<void>;
}

/**
 * Milliseconds within which a function must be wired.
 * The time is longer than a database takes to accept a connection, and shorter than the shortest
 * function runs.
 */
const WIRING_MS = 25_000;

/**
 * Wires a function; a failure goes to the log with its cause.
 * It is in no metric of ours, because stage and provider may not be known yet: the alarm on the
 * function's errors sees it.
 * The wiring ends within `WIRING_MS`, so that Lambda's alarms show the cause instead of a timeout.
 * A throw counts as an error of the function, and every record comes again.
 * @throws FreshetError whose message is for people.
 */
export async function wireLambda<Ports>(
  name: ComponentName,
  { writeLine }: LambdaDependencies,
  wire: () => Promise<Wired<Ports>>,
): Promise<Wired<Ports>> {
  try {
    return await withinTime(wire());
  } catch (error) {
    const failure = toFreshetError(error);
    reportFailure(name, writeLine, failure);
    throw failure;
  }
}

async function withinTime<Ports>(wiring: Promise<Wired<Ports>>): Promise<Wired<Ports>> {
  const decided = new AbortController();
  const tooLate = createSystemClock()
    .sleep(WIRING_MS, decided.signal)
    .then(() => undefined);
  try {
    const wired = await Promise.race([wiring, tooLate]);
    if (wired !== undefined) return wired;
  } finally {
    decided.abort('decided');
  }
  // What opens too late is closed: the next invocation opens its own.
  wiring.then(({ close }) => close()).catch(() => {});
  throw new FreshetError(
    `What the function needs did not open within ${WIRING_MS / 1000} seconds: ` +
      'look at the database and the network of its subnets.',
    { failureClass: 'transient', code: 'wiring_timeout' },
  );
}

/** Reports a failed wiring without the settings, which can themselves be what is wrong. */
function reportFailure(
  component: ComponentName,
  writeLine: LambdaDependencies['writeLine'],
  { message, failureClass, code }: FreshetError,
): void {
  const clock = createSystemClock();
  createJsonLogger(writeLine, clock, { component }).error('wiring-failed', {
    failureClass,
    code,
    reason: message,
  });
}
