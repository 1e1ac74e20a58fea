import { createEmfMetrics } from '../adapters/emf/emf-metrics.ts';
import { createJsonLogger } from '../adapters/system/json-logger.ts';
import { createSystemClock } from '../adapters/system/system-clock.ts';
import type { ComponentName } from '../core/config/lambda-connections.ts';
import { FreshetError } from '../core/errors/freshet-error.ts';
import { toFreshetError } from '../pipeline/to-freshet-error.ts';
import { type LambdaSurroundings, readSurroundings } from './lambda-surroundings.ts';

/** The ports of a function with what they rest on. */
export interface Wired<Ports> {
  readonly ports: Ports;
  /** Whether what was opened still answers. Never rejects. */
  readonly isAlive: () => Promise<boolean>;
  readonly close: () => Promise<void>;
}

/** Longer than a database takes to accept a connection, shorter than the shortest function runs. */
const WIRING_MS = 25_000;

/**
 * Wires a function, and says in log and metrics why it cannot be. Rejects with a `FreshetError` whose message is for people, within the time
 * that leaves Lambda's own alarms to the cause: what it threw counts as an error of the function, and every record comes again.
 */
export async function wireLambda<Ports>(
  name: ComponentName,
  surroundings: LambdaSurroundings = readSurroundings(),
  wire: (surroundings: LambdaSurroundings) => Promise<Wired<Ports>>,
): Promise<Wired<Ports>> {
  try {
    return await withinTime(wire(surroundings));
  } catch (error) {
    const failure = toFreshetError(error);
    await reportFailure(name, surroundings, failure);
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
    decided.abort();
  }
  // What comes too late is closed: the next invocation opens its own.
  wiring.then(({ close }) => close()).catch(() => {});
  throw new FreshetError(
    `What the function needs did not open within ${WIRING_MS / 1000} seconds: look at the database and the network of its subnets.`,
    { failureClass: 'transient', code: 'wiring_timeout' },
  );
}

/** The settings themselves can be what is wrong: the line needs none of them. */
async function reportFailure(
  component: ComponentName,
  { writeLine }: LambdaSurroundings,
  { message, failureClass, code }: FreshetError,
): Promise<void> {
  const clock = createSystemClock();
  createJsonLogger(writeLine, clock, { component }).error('wiring-failed', {
    failureClass,
    code,
    reason: message,
  });
  const metrics = createEmfMetrics({
    write: writeLine,
    dimensions: { stage: 'unknown', component, provider: 'unknown' },
  });
  metrics.count('WiringFailures', 1);
  await metrics.flush();
}
