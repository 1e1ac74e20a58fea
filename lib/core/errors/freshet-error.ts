import type { FailureClass } from '../model/vocabulary.ts';

/** What every failure of a port is turned into, once, where it enters. It carries codes and numbers; never a provider's message or a row's text. */
export class FreshetError extends Error {
  override readonly name: string = 'FreshetError';
  readonly failureClass: FailureClass;
  /** Short and stable, as `rate_limit`, `http_503`, `sqlstate_40001`. */
  readonly code: string;
  /** How long the other side asked us to wait. */
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
