import { FreshetError } from './freshet-error.ts';

/** Begins the code of an error, and the reason of a pause, that concern one source's table and nothing else. */
export const SOURCE_FAULT_PREFIX = 'source-fault:';

export function isSourceFault(error: unknown): error is FreshetError {
  return error instanceof FreshetError && error.code.startsWith(SOURCE_FAULT_PREFIX);
}
