import { FreshetError } from '../core/errors/freshet-error.ts';
import { UsageError } from '../core/errors/usage-error.ts';
import type { ObservedReason } from '../ports/run-observer.ts';

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
  const name = error instanceof Error ? error.name : typeof error;
  return { failureClass: 'unknown', code: 'unexpected', message: `An unexpected ${name} was thrown.` };
}
