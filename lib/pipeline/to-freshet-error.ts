import { FreshetError } from '../core/errors/freshet-error.ts';
import { describeFailure } from './describe-failure.ts';

/** Anything thrown, as an error of ours. One that is ours already stays itself, with its hint and its request id. */
export function toFreshetError(error: unknown): FreshetError {
  if (error instanceof FreshetError) return error;
  const { message, ...details } = describeFailure(error);
  return new FreshetError(message, details);
}
