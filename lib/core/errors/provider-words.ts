import type { Dialect } from './provider-signal.ts';

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
};

/** TEI 1.8 sends 413 where 1.9 sends 422, and their documentation another spelling: the word tells, in lower case. */
const DIALECT_WORDS: Readonly<Partial<Record<Dialect, Codes>>> = {
  tei: {
    validation: 'tei_validation',
    tokenizer: 'tei_tokenizer',
    empty: 'tei_empty',
    backend: 'tei_backend',
    unhealthy: 'tei_unhealthy',
  },
  ollama: { unsupported_value: 'invalid_vector' },
  'embed-v1': {
    batch_too_large: 'batch_too_large',
    invalid_text: 'invalid_text',
    unauthorized: 'unauthorized',
    forbidden: 'forbidden',
    rate_limited: 'rate_limit',
    not_ready: 'cold',
  },
};

/** Statuses that mean the same everywhere; all others are `http_<status>`. */
const STATUSES: Readonly<Record<number, string>> = {
  401: 'unauthorized',
  402: 'payment_required',
  403: 'forbidden',
  404: 'not_found',
  429: 'rate_limit',
};

const DIALECT_STATUSES: Readonly<Partial<Record<Dialect, Readonly<Record<number, string>>>>> = {
  // 503 is a full queue; 404 is a model that was never pulled.
  ollama: { 404: 'model_not_found', 503: 'overloaded' },
  'embed-v1': { 404: 'model_not_found', 503: 'overloaded' },
  tei: { 0: 'container_timeout', 424: 'tei_backend', 503: 'tei_unhealthy' },
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

export function codeOfWord(word: string | undefined, dialect: Dialect): string | undefined {
  const key = word?.toLowerCase() ?? '';
  return pick(DIALECT_WORDS[dialect] ?? {}, key) ?? pick(WORDS, key);
}

export function codeOfException(name: string | undefined): string | undefined {
  return pick(EXCEPTIONS, name ?? '');
}

export function codeOfStatus(status: number, dialect: Dialect): string {
  return DIALECT_STATUSES[dialect]?.[status] ?? STATUSES[status] ?? `http_${status}`;
}

function pick(codes: Codes, key: string): string | undefined {
  return Object.hasOwn(codes, key) ? codes[key] : undefined;
}
