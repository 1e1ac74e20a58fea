import { FreshetError } from '../../core/errors.ts';
import { parseJson } from '../../core/messages.ts';
import { classifyProviderFailure, codeOfWord, type ProviderSignal } from '../../core/provider-failures.ts';
import type { ProviderName } from '../../core/providers.ts';
import { parseRateHeaders } from '../../core/rate.ts';
import { parseWaitHint } from '../../core/retry.ts';
import { type AnswerHeaders, findNetworkCode, type Network, type PostAnswer } from './open-network.ts';

export interface JsonRequest {
  readonly body: object;
  /** Names of the body's fields that hold no text. */
  readonly parameters: readonly string[];
  /** Sent as a bearer token, or in `keyHeader`; nothing is sent where the key is empty. */
  readonly key: string;
  /** The header that takes the bare key. Undefined: `authorization` takes a bearer token. */
  readonly keyHeader?: string | undefined;
  readonly signal: AbortSignal;
  readonly maxAnswerBytes: number;
  readonly dialect: ProviderName;
  readonly nowMs: () => number;
}

/** What a 2xx carried. */
export interface JsonAnswer {
  /** Undefined where the body is no JSON. */
  readonly json: unknown;
  readonly headers: AnswerHeaders;
}

/**
 * Posts `body` as JSON to `url` and parses the answer of a 2xx.
 * @throws FreshetError as `postText` does
 */
export async function postJson(network: Network, url: string, request: JsonRequest): Promise<JsonAnswer> {
  const answer = await postText(network, url, JSON.stringify(request.body), request);
  return { json: parseJson(answer.body.toBuffer().toString('utf8')), headers: answer.headers };
}

/**
 * Posts a text of JSON and gives back the answer of a 2xx, unread.
 * @throws FreshetError for every other status, for a page of HTML whatever its status, and for a
 * connection that broke
 */
export async function postText(
  network: Network,
  url: string,
  body: string,
  { key, keyHeader, signal, maxAnswerBytes, dialect, nowMs, parameters }: Omit<JsonRequest, 'body'>,
): Promise<PostAnswer> {
  const headers = composeHeaders(key, keyHeader);
  const answer = await network
    .post({ url, headers, body, signal, maxAnswerBytes })
    .catch((error: unknown): never => {
      if (error instanceof FreshetError) throw error;
      throw classifyProviderFailure({ networkCode: findNetworkCode(error) ?? 'UNKNOWN' });
    });
  const isSuccess = answer.status >= 200 && answer.status <= 299;
  if (isSuccess && !beginsLikePage(answer)) return answer;
  throw classifyAnswer(answer, { dialect, parameters, nowMs });
}

/** Classifies an answer that is no success by its status and by the words of its body. */
export function classifyAnswer(
  answer: PostAnswer,
  { dialect, parameters, nowMs }: Pick<JsonRequest, 'dialect' | 'parameters' | 'nowMs'>,
): FreshetError {
  const text = answer.body.toBuffer().toString('utf8');
  const described = describeAnswer({ ...answer, body: parseJson(text) }, dialect, nowMs());
  const named = findNamedParameters(text, parameters);
  return classifyProviderFailure({ ...described, sent: parameters, named });
}

/**
 * Refuses a 2xx whose body says that it is an error, as proxies answer errors.
 * Unknown words say nothing. A body that holds such words is no list of embeddings, and is refused
 * as such when it is read.
 * @throws FreshetError
 */
export function rejectErrorBody({ json, headers }: JsonAnswer, dialect: ProviderName, nowMs: number): void {
  const { code, type } = readErrorWords(json);
  if ((codeOfWord(code, dialect) ?? codeOfWord(type, dialect)) === undefined) return;
  throw classifyProviderFailure(describeAnswer({ status: 200, headers, body: json }, dialect, nowMs));
}

function composeHeaders(key: string, keyHeader: string | undefined): Readonly<Record<string, string>> {
  const keyed = keyHeader === undefined ? { authorization: `Bearer ${key}` } : { [keyHeader]: key };
  return {
    accept: 'application/json',
    'content-type': 'application/json',
    ...(key === '' ? {} : keyed),
  };
}

/** Whether a body is a page of HTML: firewalls show theirs with status 200 too. */
function beginsLikePage({ body }: PostAnswer): boolean {
  return /^\s*</.test(body.pieces[0]?.subarray(0, 64).toString('latin1') ?? '');
}

/** Keys of which an error of a provider has one at least. */
const ERROR_KEYS = ['error', 'errors', 'code', 'type', 'error_type', 'detail'];

/** Reads what an answer that is no success says of itself. */
function describeAnswer(
  answer: { readonly status: number; readonly headers: AnswerHeaders; readonly body: unknown },
  dialect: ProviderName,
  nowMs: number,
): ProviderSignal {
  const shouldRetry = answer.headers.get('x-should-retry');
  return {
    dialect,
    status: answer.status,
    isForeign: !ERROR_KEYS.some(key => key in asRecord(answer.body)),
    ...readErrorWords(answer.body),
    retryAfterMs: parseWaitHint(answer.headers, nowMs),
    requestId: readRequestId(answer.headers),
    rateLimits: parseRateHeaders(name => answer.headers.get(name)),
    shouldRetry: shouldRetry === null ? undefined : shouldRetry === 'true',
  };
}

/**
 * Reads the words of an error body.
 * Shapes: `{error: {code, type, param}}` (OpenAI), `{code, type}` (TEI's OpenAI route, vLLM) and
 * `{error_type}` (TEI).
 */
export function readErrorWords(body: unknown): Pick<ProviderSignal, 'code' | 'type' | 'param'> {
  const outer = asRecord(body);
  const inner = asRecord(outer.error);
  return {
    code: asText(inner.code) ?? asText(outer.code),
    type: asText(inner.type) ?? asText(outer.error_type) ?? asText(outer.type) ?? findSentence(outer.error),
    param: asText(inner.param) ?? asText(outer.param) ?? findRefusedField(outer.detail),
  };
}

/** Finds the field of the body that FastAPI refuses: `{detail: [{loc: ['body', <field>], …}]}`. */
function findRefusedField(detail: unknown): string | undefined {
  const [first] = Array.isArray(detail) ? detail : [];
  const { loc } = asRecord(first);
  return Array.isArray(loc) && loc[0] === 'body' ? asText(loc[1]) : undefined;
}

/**
 * Finds the parameters of a request that an answer names.
 * `model` is left out, which answers name for many reasons. Whether the name stands in a text that
 * the server quotes cannot be told: nothing is decided by it alone. A server that has no base64
 * names the value rather than the parameter.
 */
export function findNamedParameters(answer: string, parameters: readonly string[]): string[] {
  return parameters.filter(name => {
    if (name === 'model' || !/^\w{2,64}$/.test(name)) return false;
    const words = name === 'encoding_format' ? `${name}|base64` : name;
    return new RegExp(`\\b(${words})\\b`, 'i').test(answer);
  });
}

/**
 * Finds the sentences of Ollama that count as words.
 * Ollama writes sentences where other servers write words, and sends these as its own fault: the
 * vector of a text is NaN, and a model makes no embeddings. The second stops the model, so only the
 * whole sentence counts: a server could quote a text that contains it.
 */
function findSentence(error: unknown): string | undefined {
  if (typeof error !== 'string') return undefined;
  if (/^this model does not support embeddings?\.?$/i.test(error)) return 'not_supported_error';
  return error.includes('unsupported value: NaN') ? 'unsupported_value' : undefined;
}

/**
 * Reads the request id of an answer: `req_…`, a UUID or hexadecimal, as providers make.
 * The id is logged, so nothing else passes: a server could echo a text there.
 */
export function readRequestId(headers: AnswerHeaders | undefined): string | undefined {
  const requestId = headers?.get('x-request-id') ?? '';
  return /^(req_[A-Za-z0-9]{1,64}|[0-9a-fA-F-]{16,64})$/.test(requestId) ? requestId : undefined;
}

function asRecord(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}

function asText(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}
