import { FreshetError } from './freshet-error.ts';

/** Prefix of error codes and pause reasons that concern the table of one source alone. */
export const SOURCE_FAULT_PREFIX = 'source-fault:';

export function isSourceFault(error: unknown): error is FreshetError {
  return error instanceof FreshetError && error.code.startsWith(SOURCE_FAULT_PREFIX);
}
