import type { FailureClass } from '../model/vocabulary.ts';
import { FreshetError } from './freshet-error.ts';
import { isTlsFailure } from './is-tls-failure.ts';

export interface ProviderSignal {
  readonly status?: number | undefined;
  /** `error.code` and `error.type` of the body: compared with known words, never passed on (a server can echo anything there). */
  readonly code?: string | undefined;
  readonly type?: string | undefined;
  readonly param?: string | undefined;
  readonly retryAfterMs?: number | undefined;
  readonly requestId?: string | undefined;
  /** Node's code of an error below HTTP, as `ECONNRESET`. */
  readonly networkCode?: string | undefined;
  readonly timedOut?: boolean | undefined;
  /** Header `x-should-retry`. */
  readonly shouldRetry?: boolean | undefined;
}

interface Verdict {
  readonly failureClass: FailureClass;
  readonly code: string;
}

/** Words that mean the same whatever status they come with. */
const WORDS: Readonly<Record<string, Verdict>> = {
  insufficient_quota: stop('insufficient_quota'),
  credit_balance_exhausted: stop('credit_balance_exhausted'),
  organization_spend_limit_exceeded: stop('organization_spend_limit_exceeded'),
  project_spend_limit_exceeded: stop('project_spend_limit_exceeded'),
  organization_usage_limit_exceeded: stop('organization_usage_limit_exceeded'),
  billing_hard_limit_reached: stop('billing_hard_limit_reached'),
  billing_not_active: stop('billing_not_active'),
  invalid_api_key: stop('unauthorized'),
  model_not_found: stop('model_not_found'),
  max_tokens_per_request: { failureClass: 'too-large', code: 'max_tokens_per_request' },
  context_length_exceeded: { failureClass: 'item', code: 'context_length_exceeded' },
  slow_down: throttled('slow_down'),
  rate_limit_exceeded: throttled('rate_limit'),
  server_is_overloaded: throttled('overloaded'),
  overloaded: throttled('overloaded'),
};

const STATUSES: Readonly<Record<number, Verdict>> = {
  401: stop('unauthorized'),
  402: stop('payment_required'),
  403: stop('forbidden'),
  404: stop('not_found'),
  408: { failureClass: 'transient', code: 'http_408' },
  409: { failureClass: 'transient', code: 'http_409' },
  413: { failureClass: 'too-large', code: 'http_413' },
  429: throttled('rate_limit'),
};

/** Parameters that we set from configuration: what is wrong with them is wrong with every text. */
const CONFIGURED_PARAMETERS = new Set(['dimensions', 'model', 'service_tier', 'encoding_format']);

const ACTION: Readonly<Record<FailureClass, string>> = {
  throttled: 'it asked for patience',
  transient: 'it is tried again',
  'too-large': 'the batch is split',
  item: 'it refused a text',
  stop: 'the model is paused until this is mended',
  unknown: 'the cause is not known',
};

/** Body's code first, then its type, then what broke below HTTP, then the status. Anything else is `unknown`: never acknowledged, alarmed. */
export function classifyProviderFailure(signal: ProviderSignal): FreshetError {
  const verdict = heedRetryHint(findVerdict(signal), signal);
  return new FreshetError(`The provider did not embed (${verdict.code}): ${ACTION[verdict.failureClass]}.`, {
    failureClass: verdict.failureClass,
    code: verdict.code,
    retryAfterMs: signal.retryAfterMs,
    requestId: signal.requestId,
  });
}

function findVerdict(signal: ProviderSignal): Verdict {
  return (
    findWord(signal.code) ??
    findWord(signal.type) ??
    findTransportFault(signal) ??
    findStatus(signal) ?? { failureClass: 'unknown', code: 'unclassified' }
  );
}

function findWord(word: string | undefined): Verdict | undefined {
  const key = word?.toLowerCase();
  return key !== undefined && Object.hasOwn(WORDS, key) ? WORDS[key] : undefined;
}

function findTransportFault(signal: ProviderSignal): Verdict | undefined {
  if (signal.timedOut) return { failureClass: 'transient', code: 'timeout' };
  const networkCode = signal.networkCode;
  if (networkCode === undefined || !/^[A-Z][A-Z0-9_]{1,49}$/.test(networkCode)) return undefined;
  return {
    failureClass: isTlsFailure(networkCode) ? 'stop' : 'transient',
    code: `network_${networkCode.toLowerCase()}`,
  };
}

function findStatus({ status, param }: ProviderSignal): Verdict | undefined {
  if (status === undefined) return undefined;
  if (status >= 300 && status < 400) return stop('redirect');
  if (status >= 500 && status < 600) return { failureClass: 'transient', code: `http_${status}` };
  if (status === 400 || status === 422) {
    const configured = param !== undefined && CONFIGURED_PARAMETERS.has(param);
    return configured ? stop(`parameter_${param}`) : { failureClass: 'item', code: `http_${status}` };
  }
  return STATUSES[status] ?? { failureClass: 'unknown', code: `http_${status}` };
}

/** The hint may turn what we do not know into another try; it never overrules what we know, least of all a spent quota. */
function heedRetryHint(verdict: Verdict, signal: ProviderSignal): Verdict {
  const retried = verdict.failureClass === 'unknown' && signal.shouldRetry === true;
  return retried ? { failureClass: 'transient', code: verdict.code } : verdict;
}

function stop(code: string): Verdict {
  return { failureClass: 'stop', code };
}

function throttled(code: string): Verdict {
  return { failureClass: 'throttled', code };
}
