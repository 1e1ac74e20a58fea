import { classifyAwsFailure } from '../../core/errors/classify-aws-failure.ts';
import { FreshetError } from '../../core/errors/freshet-error.ts';
import { findNetworkCode } from '../network/find-network-code.ts';

/**
 * Turns an error of the SDK into a `FreshetError`.
 * The SDK's error is not kept as the cause: its message can contain what was sent.
 */
export function toAwsFailure(service: string, error: unknown): FreshetError {
  if (error instanceof FreshetError) return error;
  const name = errorName(error);
  const networkCode = findNetworkCode(error);
  // The SDK names every broken connection a timeout; Node's code tells real timeouts from the
  // others.
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

/** The service's name for an error. Undefined where no service raised the error. */
export function errorName(error: unknown): string | undefined {
  const name = read(error, 'name');
  return typeof name === 'string' ? name : undefined;
}

/** The HTTP status with which the service failed a call. Undefined where no answer came. */
export function httpStatus(error: unknown): number | undefined {
  const status = read(read(error, '$metadata'), 'httpStatusCode');
  return typeof status === 'number' ? status : undefined;
}

/** Number of requests that the SDK made for a failed call. */
export function attemptsOf(error: unknown): number {
  const attempts = read(read(error, '$metadata'), 'attempts');
  return typeof attempts === 'number' ? attempts : 1;
}

function read(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[key] : undefined;
}
