import { describeUnexpected, FreshetError, LOCKED, UsageError } from '../core/errors.ts';
import { isForeignAnswer, mayBlameText } from '../core/provider-failure-codes.ts';
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

/** Whether nothing was billed for certain: the answer says no, or no connection came about. */
export function isUnbilled({ failureClass, code }: FreshetError): boolean {
  if (failureClass !== 'transient' && failureClass !== 'unknown') return true;
  return code.startsWith('http_') || code === 'network_econnrefused' || code === 'network_enotfound';
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

/** SQLSTATEs of an expression or a value in the source that raises wherever its rows are listed. */
const RAISING = /^sqlstate_(2[1-3]|2F|38|39|54|P0|XX)...$/;

/**
 * Reads a source; resolves with undefined where its table is no longer what it was.
 * So it does where its rows cannot be listed, as of a view whose key raises: that is the fault of
 * this source alone, and must not hide the others.
 * @throws every other failure of the read.
 */
export async function readIfSourceIntact<Value>(read: () => Promise<Value>): Promise<Value | undefined> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof FreshetError && (BROKEN.test(error.code) || RAISING.test(error.code)))
      return undefined;
    throw error;
  }
}

/** Reads a source; resolves with undefined where it is locked for longer than the session waits. */
export async function readUnlessLocked<Value>(read: () => Promise<Value>): Promise<Value | undefined> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof FreshetError && error.code === LOCKED) return undefined;
    throw error;
  }
}

/**
 * Says what is at fault where a text failed and a harmless text failed after it.
 * Where both failed alike, the configuration is.
 */
export function judgeFailures(failure: FreshetError, probeFailure: FreshetError): FreshetError {
  const alike =
    probeFailure.code === failure.code ||
    (isForeignAnswer(probeFailure.code) && isForeignAnswer(failure.code));
  if (mayBlameText(failure.code)) {
    const saysMore = probeFailure.failureClass !== 'transient' || probeFailure.code === 'out_of_time';
    return saysMore && !alike ? probeFailure : failure;
  }
  return alike ? asConfigurationFault(failure) : probeFailure;
}

/** The failure of a text whose own vector is unusable. */
export function invalidVector(): FreshetError {
  return new FreshetError('The provider answered a vector that cannot be stored.', {
    failureClass: 'item',
    code: 'invalid_vector',
  });
}

function asConfigurationFault({ code, requestId, advice }: FreshetError): FreshetError {
  const sentence = isForeignAnswer(code)
    ? `Something before the provider, such as a firewall or a proxy, refuses every text (${code}): ` +
      'check the address (baseUrl), and ask whoever runs it to let the calls pass.'
    : `The provider refuses every text alike (${code}): ` +
      'check the model and its parameters in the configuration.';
  const message = advice === undefined ? sentence : `${sentence} ${advice}`;
  return new FreshetError(message, { failureClass: 'stop', code, requestId, advice });
}
