import { FreshetError } from './errors.ts';
import { codeOfNetworkFailure } from './failures.ts';
import type { FailureClass } from './model.ts';
import { failureClassOf, isForeignAnswer } from './provider-failure-codes.ts';
import { type FieldSource, PROVIDERS, type ProviderName } from './providers.ts';
import type { RateLimits } from './rate.ts';

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
  /** True: the body is no error of a provider, as the page of a firewall or a proxy is none. */
  readonly isForeign?: boolean | undefined;
  /** `error.code` and `error.type` of the body; TEI's `error_type` counts as a type. */
  readonly code?: string | undefined;
  readonly type?: string | undefined;
  /** The parameter that the body blames, in a place of its own. */
  readonly param?: string | undefined;
  /** The parameters of the request that configuration sets. */
  readonly sent?: readonly string[] | undefined;
  /** Those of `sent` that the body names in a sentence, which can also quote a text. */
  readonly named?: readonly string[] | undefined;
  /** Name of an exception of the AWS SDK, unless it only wraps what a container answered. */
  readonly exception?: string | undefined;
  /** Subject of the exception's message, told by the few words of it that are known. */
  readonly about?: 'no_capacity' | 'endpoint_not_found' | 'payload_too_large' | undefined;
  readonly retryAfterMs?: number | undefined;
  readonly requestId?: string | undefined;
  /** What the provider allows a minute, where the answer says so. */
  readonly rateLimits?: RateLimits | undefined;
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

const NO_ADDRESS = 'This machine finds no address of the name in baseUrl: check the name, and the network.';
const NO_CREDIT =
  'The account has no credit left, or has reached a limit of its own: its billing page says which.';

/** What a person can do about a failure, after the sentence that its class has. */
const REMEDIES: Codes = {
  unauthorized: 'The key is missing, wrong or revoked: check it, and that baseUrl is the address it is for.',
  not_found:
    'The address answers no embeddings, or has no such model: check baseUrl (most servers want /v1 at its ' +
    'end) and modelId (Ollama: ollama pull NAME).',
  model_not_found:
    'Check modelId; a server of your own may have to fetch it first (Ollama: ollama pull NAME).',
  payment_required: NO_CREDIT,
  insufficient_quota: NO_CREDIT,
  credit_balance_exhausted: NO_CREDIT,
  billing_hard_limit_reached: NO_CREDIT,
  billing_not_active: NO_CREDIT,
  network_enotfound: NO_ADDRESS,
  network_eai_again: NO_ADDRESS,
  network_econnrefused: 'Nobody listens at the address in baseUrl: start the server, or check host and port.',
  forbidden_address:
    'Its name leads to an address where no provider is: one of a link-local network or of metadata, ' +
    'another machine than this one for localhost, or over http (allowHttp) a public one. Check baseUrl.',
  redirect:
    'The server sends calls to another address, and neither texts nor a key follow it there: give the ' +
    'address that answers by itself (baseUrl: https in place of http, or the host that it names).',
  embeddings_unsupported:
    'The model, or the server as it was started, makes no embeddings: name a model for embeddings ' +
    '(modelId), or start the server for them (llama.cpp: --embeddings).',
};

/** What a person can do about a failure of that code; undefined: its words say all. */
export function remedyOfCode(code: string): string | undefined {
  return pick(REMEDIES, code);
}

const FOREIGN = 'The answer is not its own, but such as a firewall or a proxy before it gives.';

/**
 * Classifies what an adapter could read of a failure; every adapter calls this function.
 * The first known sign decides, in this order: the body's code, its type, the SDK's exception, what
 * broke below HTTP, the status. Anything else is `unknown`: never acknowledged, alarmed.
 */
export function classifyProviderFailure(signal: ProviderSignal): FreshetError {
  const code = findCode(signal);
  const failureClass = heedRetryHint(failureClassOf(code) ?? 'unknown', signal);
  const sentence = `The provider did not embed (${code}): ${ACTION[failureClass]}.`;
  const advice = adviseOnParameters(code, signal);
  const remedies = [remedyOfCode(code) ?? (isForeignAnswer(code) ? FOREIGN : undefined), advice];
  return new FreshetError([sentence, ...remedies.filter(remedy => remedy !== undefined)].join(' '), {
    failureClass,
    code,
    advice,
    retryAfterMs: signal.retryAfterMs ?? (code === 'cold' ? COLD_RETRY_MS : undefined),
    requestId: signal.requestId,
    rateLimits: signal.rateLimits,
  });
}

/** What a person can change about a parameter, by what sets it. */
const PARAMETER_REMEDIES: Readonly<Record<FieldSource, string>> = {
  modelId: 'name a model that the server has (modelId)',
  sendDimensions: 'send none (sendDimensions: false), or give the dimensions that the model has (dimensions)',
  encodingFormat: "ask for vectors in another way (encodingFormat: 'float' or 'omit')",
  normalized: 'change normalized',
  sendTextHashes: 'send none (sendTextHashes: false)',
  texts: 'the texts themselves are not taken: check the address (baseUrl)',
  adapter: 'no key changes it: update the server',
};

/**
 * Names the parameters that an answer refuses, each with the key of the model that changes it.
 * Undefined: the answer names none.
 */
function adviseOnParameters(code: string, { dialect, named = [] }: ProviderSignal): string | undefined {
  const blamed = /^parameter_(\w+)$/.exec(code)?.[1];
  const names = blamed === undefined ? named : [blamed];
  if (names.length === 0 || (blamed === undefined && !/^(http|foreign)_4\d\d$/.test(code))) return undefined;
  const fields = dialect === undefined ? {} : PROVIDERS[dialect].fields;
  const described = names.map(name => {
    const source = Object.hasOwn(fields, name) ? fields[name] : undefined;
    const remedy = source === undefined ? undefined : PARAMETER_REMEDIES[source];
    return `${name}: ${remedy ?? 'change it where it is given (extraBody, queryExtraBody)'}`;
  });
  return `The answer names ${described.join('; ')}.`;
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

function findStatus({ status, param, sent, dialect, isForeign }: ProviderSignal): string | undefined {
  if (status === undefined) return undefined;
  if (status >= 300 && status < 400) return 'redirect';
  const concernsParameter = status === 400 || status === 422;
  const isConfigured = param !== undefined && (CONFIGURED_PARAMETERS.has(param) || sent?.includes(param));
  if (concernsParameter && isConfigured && /^\w{1,64}$/.test(param)) return `parameter_${param}`;
  const code = codeOfStatus(status, dialect);
  return isForeign && mayConcernText(status, code) ? `foreign_${status}` : code;
}

/**
 * Whether an answer that is not the provider's own may be about one text of the call.
 * Firewalls refuse single texts with statuses that stop a model where the provider sends them. What
 * passes, a batch that is too large, and a key that is asked for keep their meaning.
 */
function mayConcernText(status: number, code: string): boolean {
  const own = failureClassOf(code);
  return status !== 401 && (own === 'stop' || own === 'unknown');
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
