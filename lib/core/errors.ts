import type { FailureClass } from './model.ts';

/**
 * The one form of a port's failure; the adapter creates it where the failure enters.
 * The error carries codes and numbers, never a provider's message or a row's text.
 */
export class FreshetError extends Error {
  override readonly name: string = 'FreshetError';
  readonly failureClass: FailureClass;
  /** A short and stable code, as `rate_limit`, `http_503` or `sqlstate_40001`. */
  readonly code: string;
  /** Milliseconds that the other side asked us to wait. Undefined where it did not ask. */
  readonly retryAfterMs: number | undefined;
  readonly requestId: string | undefined;

  constructor(
    message: string,
    details: {
      failureClass: FailureClass;
      code: string;
      retryAfterMs?: number | undefined;
      requestId?: string | undefined;
    },
  ) {
    super(message);
    this.failureClass = details.failureClass;
    this.code = details.code;
    this.retryAfterMs = details.retryAfterMs;
    this.requestId = details.requestId;
  }
}

/**
 * A mistake that the person at the keyboard can mend; the command ends with exit code 2.
 * The message says what was wrong, where, and what to do.
 */
export class UsageError extends Error {
  override readonly name = 'UsageError';
  /** A command or SQL statement to paste, where one exists. */
  readonly remedy: string | undefined;

  constructor(message: string, remedy?: string) {
    super(message);
    this.remedy = remedy;
  }
}

/** Prefix of error codes and pause reasons that concern the table of one source alone. */
export const SOURCE_FAULT_PREFIX = 'source-fault:';

export function isSourceFault(error: unknown): error is FreshetError {
  return error instanceof FreshetError && error.code.startsWith(SOURCE_FAULT_PREFIX);
}
