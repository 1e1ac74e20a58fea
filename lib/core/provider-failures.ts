import { FreshetError } from './errors.ts';
import { codeOfNetworkFailure, isTlsFailure } from './failures.ts';
import type { FailureClass } from './model.ts';
import { PROVIDERS, type ProviderName } from './providers.ts';

/**
 * What an adapter could read of a failure.
 * Words are compared with known words and never passed on: a server can echo any text in them.
 */
export interface ProviderSignal {
  /** Whose words and statuses count beside the words that all providers share. */
  readonly dialect?: ProviderName | undefined;
  /**
   * Status of HTTP.
   * For a model behind SageMaker: the status that its container answered, and 0 where the
   * container answered nothing in time.
   */
  readonly status?: number | undefined;
  /** `error.code` and `error.type` of the body; TEI's `error_type` counts as a type. */
  readonly code?: string | undefined;
  readonly type?: string | undefined;
  readonly param?: string | undefined;
  /** Name of an exception of the AWS SDK, unless it only wraps what a container answered. */
  readonly exception?: string | undefined;
  /** Subject of the exception's message, told by the few words of it that are known. */
  readonly about?: 'no_capacity' | 'endpoint_not_found' | 'payload_too_large' | undefined;
  readonly retryAfterMs?: number | undefined;
  readonly requestId?: string | undefined;
  /** Node's code of an error below HTTP, such as `ECONNRESET`. */
  readonly networkCode?: string | undefined;
  readonly timedOut?: boolean | undefined;
  /** Header `x-should-retry`. */
  readonly shouldRetry?: boolean | undefined;
}

type Codes = Readonly<Record<string, string>>;

/** Words of error bodies, in lower case, that mean the same whatever status they come with. */
const WORDS: Codes = {
  insufficient_quota: 'insufficient_quota',
  credit_balance_exhausted: 'credit_balance_exhausted',
  organization_spend_limit_exceeded: 'organization_spend_limit_exceeded',
  project_spend_limit_exceeded: 'project_spend_limit_exceeded',
  organization_usage_limit_exceeded: 'organization_usage_limit_exceeded',
  billing_hard_limit_reached: 'billing_hard_limit_reached',
  billing_not_active: 'billing_not_active',
  invalid_api_key: 'unauthorized',
  model_not_found: 'model_not_found',
  max_tokens_per_request: 'max_tokens_per_request',
  context_length_exceeded: 'context_length_exceeded',
  slow_down: 'slow_down',
  rate_limit_exceeded: 'rate_limit',
  server_is_overloaded: 'overloaded',
  overloaded: 'overloaded',
  // Of llama.cpp, for a server that was started without embeddings.
  not_supported_error: 'embeddings_unsupported',
};

/** Statuses that mean the same for every provider; all others are `http_<status>`. */
const STATUSES: Readonly<Record<number, string>> = {
  401: 'unauthorized',
  402: 'payment_required',
  403: 'forbidden',
  404: 'not_found',
  405: 'not_found',
  410: 'not_found',
  429: 'rate_limit',
  501: 'embeddings_unsupported',
};

/** Exceptions of SageMaker's runtime and of AWS in general. */
const EXCEPTIONS: Codes = {
  ThrottlingException: 'rate_limit',
  Throttling: 'rate_limit',
  TooManyRequestsException: 'rate_limit',
  ModelNotReadyException: 'cold',
  ServiceUnavailable: 'http_503',
  ServiceUnavailableException: 'http_503',
  InternalFailure: 'http_500',
  InternalServerException: 'http_500',
  InternalDependencyException: 'http_530',
  ValidationError: 'validation_error',
  ValidationException: 'validation_error',
  AccessDeniedException: 'access_denied',
  AccessDenied: 'access_denied',
  ExpiredTokenException: 'expired_token',
  ExpiredToken: 'expired_token',
  RequestExpired: 'expired_token',
  UnrecognizedClientException: 'aws_credentials',
  InvalidClientTokenId: 'aws_credentials',
  InvalidSignatureException: 'aws_credentials',
  SignatureDoesNotMatch: 'aws_credentials',
  MissingAuthenticationToken: 'aws_credentials',
  MissingAuthenticationTokenException: 'aws_credentials',
  CredentialsProviderError: 'aws_credentials',
};

/**
 * Every failure code of a provider, with its class.
 * Three families complete the list: `http_<status>`, `network_<code>` and `parameter_<name>`.
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
  not_found: 'stop',
  endpoint_not_found: 'stop',
  validation_error: 'stop',
  access_denied: 'stop',
  aws_credentials: 'stop',
  redirect: 'stop',
  forbidden_address: 'stop',
  client_setup: 'stop',
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

/** Parameters that configuration sets: what is wrong with them is wrong with every text. */
const CONFIGURED_PARAMETERS = new Set([
  'dimensions',
  'model',
  'service_tier',
  'encoding_format',
  'normalize',
]);

/** Two calls a minute cost nothing and soon find an endpoint that was scaled to zero. */
const COLD_RETRY_MS = 45_000;

const ACTION: Readonly<Record<FailureClass, string>> = {
  throttled: 'it asked for patience',
  transient: 'it is tried again',
  'too-large': 'the batch is split',
  item: 'it refused a text',
  stop: 'the model is paused until this is mended',
  unknown: 'the cause is not known',
};

/** What a person can do about a failure, after the sentence that its class has. */
const REMEDIES: Codes = {
  embeddings_unsupported:
    ' The model, or the server as it was started, makes no embeddings: name a model for embeddings ' +
    '(modelId), or start the server for them (llama.cpp: --embeddings).',
};

/**
 * Classifies what an adapter could read of a failure; every adapter calls this function.
 * The first known sign decides, in this order: the body's code, its type, the SDK's exception, what
 * broke below HTTP, the status. Anything else is `unknown`: never acknowledged, alarmed.
 */
export function classifyProviderFailure(signal: ProviderSignal): FreshetError {
  const code = findCode(signal);
  const failureClass = heedRetryHint(failureClassOf(code) ?? 'unknown', signal);
  const sentence = `The provider did not embed (${code}): ${ACTION[failureClass]}.`;
  return new FreshetError(sentence + (pick(REMEDIES, code) ?? ''), {
    failureClass,
    code,
    retryAfterMs: signal.retryAfterMs ?? (code === 'cold' ? COLD_RETRY_MS : undefined),
    requestId: signal.requestId,
  });
}

/** The class of a failure code; undefined for a code that no failure of a provider has. */
export function failureClassOf(code: string): FailureClass | undefined {
  if (Object.hasOwn(FAILURES, code)) return FAILURES[code];
  const [, family, name] = /^(http|network|parameter)_(\w+)$/.exec(code) ?? [];
  if (family === 'parameter') return 'stop';
  if (family === 'network') return isTlsFailure((name ?? '').toUpperCase()) ? 'stop' : 'transient';
  if (family === 'http' && /^\d{3}$/.test(name ?? '')) {
    const status = Number(name);
    return status >= 500 && status < 600 ? 'transient' : (STATUS_CLASSES[status] ?? 'unknown');
  }
  return undefined;
}

/** The failure code of a word of an error body; undefined for a word that nobody knows. */
export function codeOfWord(word: string | undefined, dialect?: ProviderName): string | undefined {
  const key = word?.toLowerCase() ?? '';
  return pick(dialectOf(dialect)?.words ?? {}, key) ?? pick(WORDS, key);
}

/** The failure code of a status of HTTP. */
export function codeOfStatus(status: number, dialect?: ProviderName): string {
  return dialectOf(dialect)?.statuses[status] ?? STATUSES[status] ?? `http_${status}`;
}

function dialectOf(name: ProviderName | undefined) {
  return name === undefined ? undefined : PROVIDERS[name].dialect;
}

function findCode(signal: ProviderSignal): string {
  return (
    codeOfWord(signal.code, signal.dialect) ??
    codeOfWord(signal.type, signal.dialect) ??
    findException(signal) ??
    findTransportFault(signal) ??
    findStatus(signal) ??
    'unclassified'
  );
}

/**
 * The failure code of an exception of the AWS SDK.
 * SageMaker throws the same exception where it has no capacity yet and where the request is wrong:
 * the subject of the message tells them apart.
 */
function findException({ exception, about }: ProviderSignal): string | undefined {
  const code = pick(EXCEPTIONS, exception ?? '');
  if (code !== 'validation_error' || about === undefined) return code;
  return about === 'no_capacity' ? 'cold' : about;
}

function findTransportFault({ timedOut, networkCode }: ProviderSignal): string | undefined {
  if (timedOut) return 'timeout';
  if (networkCode === 'ERR_FORBIDDEN_ADDRESS') return 'forbidden_address';
  return codeOfNetworkFailure(networkCode);
}

function findStatus({ status, param, dialect }: ProviderSignal): string | undefined {
  if (status === undefined) return undefined;
  if (status >= 300 && status < 400) return 'redirect';
  const concernsParameter = status === 400 || status === 422;
  if (concernsParameter && param !== undefined && CONFIGURED_PARAMETERS.has(param))
    return `parameter_${param}`;
  return codeOfStatus(status, dialect);
}

/**
 * Lets `x-should-retry` turn an unknown failure into another try.
 * The hint never overrules a known class, least of all a spent quota.
 */
function heedRetryHint(failureClass: FailureClass, { shouldRetry }: ProviderSignal): FailureClass {
  return failureClass === 'unknown' && shouldRetry === true ? 'transient' : failureClass;
}

function pick(codes: Codes, key: string): string | undefined {
  return Object.hasOwn(codes, key) ? codes[key] : undefined;
}
