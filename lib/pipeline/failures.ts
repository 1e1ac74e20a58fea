import { describeUnexpected, FreshetError, UsageError } from '../core/errors.ts';
import { fullJitterMs } from '../core/retry.ts';
import type { Clock, ObservedReason, Randomness } from '../ports/process.ts';

/**
 * Describes anything thrown as class, code and sentence, remedy included.
 * What is neither a `FreshetError` nor a `UsageError` keeps nothing of its message, which may quote
 * a row.
 */
export function describeFailure(error: unknown): ObservedReason {
  if (error instanceof FreshetError) {
    return { failureClass: error.failureClass, code: error.code, message: error.message };
  }
  if (error instanceof UsageError) {
    const message = error.remedy === undefined ? error.message : `${error.message} ${error.remedy}`;
    return { failureClass: 'stop', code: 'not_usable', message };
  }
  return { failureClass: 'unknown', code: 'unexpected', message: describeUnexpected(error) };
}

/**
 * Turns anything thrown into a `FreshetError`.
 * A `FreshetError` stays itself, with its hint and its request id.
 */
export function toFreshetError(error: unknown): FreshetError {
  if (error instanceof FreshetError) return error;
  const { message, ...details } = describeFailure(error);
  return new FreshetError(message, details);
}

const MAX_TRIES = 3;

/**
 * Tries work up to three times while it fails as `transient`.
 * A further try is made only when its wait is shorter than `remainingMs`.
 * @throws the last failure of the work.
 */
export async function retryTransient<T>(
  ports: { readonly clock: Clock; readonly randomness: Randomness },
  remainingMs: () => number,
  work: () => Promise<T>,
): Promise<T> {
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await work();
    } catch (error) {
      const transient = error instanceof FreshetError && error.failureClass === 'transient';
      const waitMs = fullJitterMs(attempt, ports.randomness.fraction());
      if (!transient || attempt + 1 >= MAX_TRIES || waitMs >= remainingMs()) throw error;
      await ports.clock.sleep(waitMs);
    }
  }
}

/**
 * A text of no row, which is sent alone to try a provider.
 * A provider that refuses this text refuses everything. A provider that embeds it works.
 */
export const PROBE_TEXT = 'Freshet';

/** The longest time in milliseconds that a probe of a provider may take. */
export const MAX_PROBE_MS = 20_000;

/**
 * SQLSTATEs of what an application can do to its table.
 * Table, schema or column is gone, a permission is missing, or a type is another one.
 */
const BROKEN = /^sqlstate_(42P01|3F000|42703|42501|42883|42804)$/;

/**
 * Reads a source; resolves with undefined where its table is no longer what it was.
 * @throws every other failure of the read.
 */
export async function readIfSourceIntact<Value>(read: () => Promise<Value>): Promise<Value | undefined> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof FreshetError && BROKEN.test(error.code)) return undefined;
    throw error;
  }
}
