import { FreshetError } from '../core/errors/freshet-error.ts';
import { describeFailure } from './describe-failure.ts';

/**
 * Turns anything thrown into a `FreshetError`.
 * A `FreshetError` stays itself, with its hint and its request id.
 */
export function toFreshetError(error: unknown): FreshetError {
  if (error instanceof FreshetError) return error;
  const { message, ...details } = describeFailure(error);
  return new FreshetError(message, details);
}
