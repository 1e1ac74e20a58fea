import type { FailureClass } from '../model/vocabulary.ts';

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
