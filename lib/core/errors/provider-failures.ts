import type { FailureClass } from '../model/vocabulary.ts';
import { isTlsFailure } from './is-tls-failure.ts';

/** Every code that a failure of a provider can have, with its class. Three families complete it: `http_<status>`, `network_<code>`, `parameter_<name>`. */
const FAILURES: Readonly<Record<string, FailureClass>> = {
  // It asks for patience.
  rate_limit: 'throttled',
  slow_down: 'throttled',
  overloaded: 'throttled',
  cold: 'throttled',
  // It may come right by itself.
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
  // The batch.
  max_tokens_per_request: 'too-large',
  batch_too_large: 'too-large',
  payload_too_large: 'too-large',
  over_call_limits: 'too-large',
  // One text of it.
  context_length_exceeded: 'item',
  invalid_text: 'item',
  empty_text: 'item',
  invalid_vector: 'item',
  tei_validation: 'item',
  tei_tokenizer: 'item',
  tei_empty: 'item',
  // Nothing but a person mends it.
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
  wrong_model: 'stop',
  wrong_dimensions: 'stop',
  not_found: 'stop',
  endpoint_not_found: 'stop',
  validation_error: 'stop',
  access_denied: 'stop',
  aws_credentials: 'stop',
  redirect: 'stop',
  forbidden_address: 'stop',
  client_setup: 'stop',
  // Nobody knows.
  unclassified: 'unknown',
  key_unreadable: 'unknown',
};

const STATUSES: Readonly<Record<number, FailureClass>> = {
  400: 'item',
  408: 'transient',
  409: 'transient',
  413: 'too-large',
  422: 'item',
};

/** Undefined for a code that no failure of a provider has. */
export function failureClassOf(code: string): FailureClass | undefined {
  if (Object.hasOwn(FAILURES, code)) return FAILURES[code];
  const [, family, name] = /^(http|network|parameter)_(\w+)$/.exec(code) ?? [];
  if (family === 'parameter') return 'stop';
  if (family === 'network') return isTlsFailure((name ?? '').toUpperCase()) ? 'stop' : 'transient';
  if (family === 'http' && /^\d{3}$/.test(name ?? '')) {
    const status = Number(name);
    return status >= 500 && status < 600 ? 'transient' : (STATUSES[status] ?? 'unknown');
  }
  return undefined;
}
