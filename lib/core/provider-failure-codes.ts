import { isTlsFailure } from './failures.ts';
import type { FailureClass } from './model.ts';
import { isUnanswered } from './pace.ts';

/**
 * Every failure code of a provider, with its class.
 * Families complete the list: `http_<status>`, `foreign_<status>`, `network_<code>` and
 * `parameter_<name>`.
 */
const FAILURES: Readonly<Record<string, FailureClass>> = {
  // The provider asks for patience.
  rate_limit: 'throttled',
  slow_down: 'throttled',
  overloaded: 'throttled',
  cold: 'throttled',
  // The failure may pass by itself.
  timeout: 'transient',
  aborted: 'transient',
  container_timeout: 'transient',
  expired_token: 'transient',
  tei_backend: 'transient',
  tei_unhealthy: 'transient',
  invalid_reply: 'transient',
  invalid_reply_count: 'transient',
  invalid_reply_index: 'transient',
  reply_too_large: 'transient',
  proxy_unreachable: 'transient',
  proxy_failed: 'transient',
  inference_crashed: 'transient',
  inference_failed: 'transient',
  // The batch is at fault.
  max_tokens_per_request: 'too-large',
  batch_too_large: 'too-large',
  payload_too_large: 'too-large',
  over_call_limits: 'too-large',
  // One text of the batch is at fault.
  context_length_exceeded: 'item',
  invalid_text: 'item',
  empty_text: 'item',
  invalid_vector: 'item',
  tei_validation: 'item',
  tei_tokenizer: 'item',
  tei_empty: 'item',
  // Only a person can mend the cause.
  insufficient_quota: 'stop',
  credit_balance_exhausted: 'stop',
  organization_spend_limit_exceeded: 'stop',
  project_spend_limit_exceeded: 'stop',
  organization_usage_limit_exceeded: 'stop',
  billing_hard_limit_reached: 'stop',
  billing_not_active: 'stop',
  payment_required: 'stop',
  unauthorized: 'stop',
  forbidden: 'stop',
  malformed_key: 'stop',
  model_not_found: 'stop',
  embeddings_unsupported: 'stop',
  wrong_model: 'stop',
  wrong_dimensions: 'stop',
  token_vectors: 'stop',
  not_found: 'stop',
  endpoint_not_found: 'stop',
  validation_error: 'stop',
  access_denied: 'stop',
  aws_credentials: 'stop',
  redirect: 'stop',
  forbidden_address: 'stop',
  proxy_unauthorized: 'stop',
  proxy_refused: 'stop',
  client_setup: 'stop',
  model_file: 'stop',
  model_unusable: 'stop',
  // Nobody knows the cause.
  unclassified: 'unknown',
  key_unreadable: 'unknown',
};

/** Classes of `http_<status>` below 500 that are known. */
const STATUS_CLASSES: Readonly<Record<number, FailureClass>> = {
  400: 'item',
  408: 'transient',
  409: 'transient',
  413: 'too-large',
  422: 'item',
};

/** The class of a failure code; undefined for a code that no failure of a provider has. */
export function failureClassOf(code: string): FailureClass | undefined {
  if (Object.hasOwn(FAILURES, code)) return FAILURES[code];
  const [, family, name] = /^(http|foreign|network|parameter)_(\w+)$/.exec(code) ?? [];
  if (family === 'foreign') return 'item';
  if (family === 'parameter') return 'stop';
  if (family === 'network') return isTlsFailure((name ?? '').toUpperCase()) ? 'stop' : 'transient';
  if (family === 'http' && /^\d{3}$/.test(name ?? '')) {
    const status = Number(name);
    return status >= 500 && status < 600 ? 'transient' : (STATUS_CLASSES[status] ?? 'unknown');
  }
  return undefined;
}

/** Whether a failure code says that the answer was not the provider's own. */
export function isForeignAnswer(code: string): boolean {
  return code.startsWith('foreign_');
}

/** Answers that are no refusal of a text, and that one text of a call may still cause. */
const DOUBTFUL_ANSWERS: ReadonlySet<string> = new Set([
  'tei_unhealthy',
  'invalid_reply',
  'reply_too_large',
  'embeddings_unsupported',
  'token_vectors',
  'inference_crashed',
  'inference_failed',
]);

/**
 * Whether one text of a call may have caused an answer that blames no text, such as a 500.
 * The code alone cannot tell it from an outage: only other texts that are embedded can. A call
 * without an answer, as after a time-out, is no such failure: of several texts it may have been too
 * large.
 */
function isDoubtfulAnswer(code: string): boolean {
  if (DOUBTFUL_ANSWERS.has(code)) return true;
  const failureClass = failureClassOf(code);
  return code.startsWith('http_') && (failureClass === 'transient' || failureClass === 'unknown');
}

/** Whether a failure blames no text, and one text alone may still cause it each time. */
export function mayBlameText(code: string): boolean {
  return isDoubtfulAnswer(code) || isUnanswered(code);
}
