import type { FreshetError } from './errors.ts';
import { UNKNOWN_WORDS_CODE } from './reply.ts';

/** What can be refused, each with its status of HTTP and what OpenAI calls such an error. */
const REFUSALS = {
  invalid_request: { status: 400, type: 'invalid_request_error' },
  model_not_found: { status: 400, type: 'invalid_request_error' },
  unauthorized: { status: 401, type: 'authentication_error' },
  forbidden: { status: 403, type: 'permission_error' },
  not_found: { status: 404, type: 'invalid_request_error' },
  method_not_allowed: { status: 405, type: 'invalid_request_error' },
  payload_too_large: { status: 413, type: 'invalid_request_error' },
  batch_too_large: { status: 413, type: 'invalid_request_error' },
  space_changed: { status: 409, type: 'invalid_request_error' },
  unsupported_media_type: { status: 415, type: 'invalid_request_error' },
  text_too_long: { status: 422, type: 'invalid_request_error' },
  invalid_text: { status: 422, type: 'invalid_request_error' },
  rate_limited: { status: 429, type: 'rate_limit_error' },
  client_left: { status: 499, type: 'invalid_request_error' },
  internal: { status: 500, type: 'server_error' },
  provider_failed: { status: 502, type: 'server_error' },
  not_ready: { status: 503, type: 'server_error' },
  deadline: { status: 504, type: 'server_error' },
} as const;

type RefusalCode = keyof typeof REFUSALS;

/**
 * The one form in which the service says no to a client.
 * The message is in our own words: it names limits, fields and models, never a text of the request
 * nor what a provider said.
 */
export class ServiceRefusal extends Error {
  override readonly name = 'ServiceRefusal';
  readonly code: RefusalCode;
  /**
   * The field of the body that is at fault, or the place of a text, or '': all texts.
   * Undefined: none is.
   */
  readonly param: string | undefined;
  /** Seconds after which the same request may succeed. Undefined: nobody knows. */
  readonly retryAfterSeconds: number | undefined;

  constructor(
    code: RefusalCode,
    message: string,
    details: { readonly param?: string; readonly retryAfterSeconds?: number } = {},
  ) {
    super(message);
    this.code = code;
    this.param = details.param;
    this.retryAfterSeconds = details.retryAfterSeconds;
  }

  get status(): (typeof REFUSALS)[RefusalCode]['status'] {
    return REFUSALS[this.code].status;
  }

  /** The type of the error in OpenAI's error object. */
  get type(): string {
    return REFUSALS[this.code].type;
  }
}

/** Seconds that a throttled client waits where the provider named no time. */
const THROTTLED_SECONDS = 5;

/**
 * Turns a failure of a provider into what a client is told: the class, never the provider's words.
 * A provider that asks for patience asks the client for it. Only a text that was alone in its call
 * is blamed.
 * @param place of the text that failed, in the request that is refused
 */
export function refuseForFailure(failure: FreshetError, place: number): ServiceRefusal {
  const { failureClass, code, retryAfterMs } = failure;
  if (failureClass === 'throttled') {
    const retryAfterSeconds = Math.ceil((retryAfterMs ?? THROTTLED_SECONDS * 1000) / 1000);
    return new ServiceRefusal('rate_limited', 'The provider of the model asks for patience.', {
      retryAfterSeconds,
    });
  }
  const param = String(place);
  if (code === UNKNOWN_WORDS_CODE)
    return new ServiceRefusal('invalid_text', `Text ${place} has no word that the model knows (${code}).`, {
      param,
    });
  if (failureClass === 'item')
    return new ServiceRefusal(
      'invalid_text',
      `The provider refuses text ${place} of the request (${code}).`,
      {
        param,
      },
    );
  if (failureClass === 'too-large')
    return new ServiceRefusal('text_too_long', `Text ${place} is too large for the provider (${code}).`, {
      param,
    });
  return new ServiceRefusal(
    'provider_failed',
    `The provider of the model failed (class ${failureClass}, code ${code}).`,
  );
}
