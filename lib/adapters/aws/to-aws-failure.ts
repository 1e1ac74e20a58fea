import { classifyAwsFailure } from '../../core/errors/classify-aws-failure.ts';
import { FreshetError } from '../../core/errors/freshet-error.ts';
import { findNetworkCode } from '../network/find-network-code.ts';

/** What the SDK rejected with, as `FreshetError`. The error itself does not travel on: its message can hold what was sent. */
export function toAwsFailure(service: string, error: unknown): FreshetError {
  if (error instanceof FreshetError) return error;
  const name = errorName(error);
  const networkCode = findNetworkCode(error);
  // The SDK calls every connection that broke a timeout; the code below tells which were.
  const slow = name === 'TimeoutError' && (networkCode === undefined || networkCode === 'ETIMEDOUT');
  const requestId = read(read(error, '$metadata'), 'requestId');
  return classifyAwsFailure({
    service,
    name: name === 'TimeoutError' ? undefined : name,
    status: httpStatus(error),
    networkCode,
    timedOut: slow || name === 'AbortError',
    requestId:
      typeof requestId === 'string' && /^[A-Za-z0-9-]{8,64}$/.test(requestId) ? requestId : undefined,
  });
}

/** The service's name for an error; undefined where it came from elsewhere. */
export function errorName(error: unknown): string | undefined {
  const name = read(error, 'name');
  return typeof name === 'string' ? name : undefined;
}

export function httpStatus(error: unknown): number | undefined {
  const status = read(read(error, '$metadata'), 'httpStatusCode');
  return typeof status === 'number' ? status : undefined;
}

/** How many requests the SDK made of a call that failed. */
export function attemptsOf(error: unknown): number {
  const attempts = read(read(error, '$metadata'), 'attempts');
  return typeof attempts === 'number' ? attempts : 1;
}

function read(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[key] : undefined;
}
