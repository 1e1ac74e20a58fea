import { isIP } from 'node:net';
import { FreshetError, UsageError } from '../../core/errors.ts';
import { parseJson } from '../../core/messages.ts';
import { classifyProviderFailure, codeOfWord, type ProviderSignal } from '../../core/provider-failures.ts';
import type { ProviderName } from '../../core/providers.ts';
import { parseWaitHint } from '../../core/retry.ts';
import type { AnswerHeaders, Network, PostAnswer } from './open-network.ts';
import { findNetworkCode, isForbiddenAddress, isLoopbackAddress, isLoopbackName } from './open-network.ts';

export interface JsonRequest {
  readonly body: object;
  /** Bearer token; no token is sent where the key is empty. */
  readonly key: string;
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
 *
 * @throws FreshetError as `postText` does
 */
export async function postJson(network: Network, url: string, request: JsonRequest): Promise<JsonAnswer> {
  const answer = await postText(network, url, JSON.stringify(request.body), request);
  return { json: parseJson(answer.body.toBuffer().toString('utf8')), headers: answer.headers };
}

/**
 * Posts a text of JSON and gives back the answer of a 2xx, unread.
 *
 * @throws FreshetError for every other status, and for a connection that broke
 */
export async function postText(
  network: Network,
  url: string,
  body: string,
  { key, signal, maxAnswerBytes, dialect, nowMs }: Omit<JsonRequest, 'body'>,
): Promise<PostAnswer> {
  const headers = composeHeaders(key);
  const answer = await network
    .post({ url, headers, body, signal, maxAnswerBytes })
    .catch((error: unknown): never => {
      if (error instanceof FreshetError) throw error;
      throw classifyProviderFailure({ networkCode: findNetworkCode(error) ?? 'UNKNOWN' });
    });
  if (answer.status >= 200 && answer.status <= 299) return answer;
  const json = parseJson(answer.body.toBuffer().toString('utf8'));
  throw classifyProviderFailure(describeAnswer({ ...answer, body: json }, dialect, nowMs()));
}

/**
 * Refuses a 2xx whose body says that it is an error, as proxies answer errors.
 *
 * Unknown words say nothing. A body that holds such words is no list of embeddings, and is refused
 * as such when it is read.
 *
 * @throws FreshetError
 */
export function rejectErrorBody({ json, headers }: JsonAnswer, dialect: ProviderName, nowMs: number): void {
  const { code, type } = readErrorWords(json);
  if ((codeOfWord(code, dialect) ?? codeOfWord(type, dialect)) === undefined) return;
  throw classifyProviderFailure(describeAnswer({ status: 200, headers, body: json }, dialect, nowMs));
}

function composeHeaders(key: string): Readonly<Record<string, string>> {
  return {
    accept: 'application/json',
    'content-type': 'application/json',
    ...(key === '' ? {} : { authorization: `Bearer ${key}` }),
  };
}

/** What an answer that is no success says of itself. */
function describeAnswer(
  answer: { readonly status: number; readonly headers: AnswerHeaders; readonly body: unknown },
  dialect: ProviderName,
  nowMs: number,
): ProviderSignal {
  const shouldRetry = answer.headers.get('x-should-retry');
  return {
    dialect,
    status: answer.status,
    ...readErrorWords(answer.body),
    retryAfterMs: parseWaitHint(answer.headers, nowMs),
    requestId: readRequestId(answer.headers),
    shouldRetry: shouldRetry === null ? undefined : shouldRetry === 'true',
  };
}

/**
 * Reads the words of an error body.
 *
 * Shapes: `{error: {code, type, param}}` (OpenAI), `{code, type}` (TEI's OpenAI route, vLLM) and
 * `{error_type}` (TEI).
 */
export function readErrorWords(body: unknown): Pick<ProviderSignal, 'code' | 'type' | 'param'> {
  const outer = asRecord(body);
  const inner = asRecord(outer.error);
  return {
    code: asText(inner.code) ?? asText(outer.code),
    type: asText(inner.type) ?? asText(outer.error_type) ?? asText(outer.type) ?? findSentence(outer.error),
    param: asText(inner.param),
  };
}

/**
 * The one sentence of Ollama that counts as a word: the vector of a text is NaN.
 *
 * Ollama writes sentences where other servers write words, and sends this one as its own fault.
 */
function findSentence(error: unknown): string | undefined {
  return typeof error === 'string' && error.includes('unsupported value: NaN')
    ? 'unsupported_value'
    : undefined;
}

/**
 * The request id of an answer: `req_…`, a UUID or hexadecimal, which is what providers make.
 *
 * The id is logged, so nothing else passes: a server could echo a text there.
 */
export function readRequestId(headers: AnswerHeaders | undefined): string | undefined {
  const requestId = headers?.get('x-request-id') ?? '';
  return /^(req_[A-Za-z0-9]{1,64}|[0-9a-f-]{16,64})$/.test(requestId) ? requestId : undefined;
}

/**
 * Turns lists of numbers into float32 little-endian bytes, in the order in which they came.
 *
 * All vectors lie in one piece of memory. What is no list becomes empty, and what is no number
 * becomes NaN: validation then refuses that vector alone.
 */
export function encodeFloats(vectors: readonly unknown[]): { index: number; bytes: Buffer }[] {
  const floats = vectors.reduce<number>(
    (sum, vector) => sum + (Array.isArray(vector) ? vector.length : 0),
    0,
  );
  const slab = Buffer.allocUnsafe(floats * 4);
  let used = 0;
  return vectors.map((vector, index) => {
    const start = used;
    for (const value of Array.isArray(vector) ? (vector as unknown[]) : []) {
      used = slab.writeFloatLE(typeof value === 'number' ? value : Number.NaN, used);
    }
    return { index, bytes: slab.subarray(start, used) };
  });
}

/** The tokens of a reply; undefined, not 0, where a server counts none: they are not free. */
export function readTokens(tokens: unknown): number | undefined {
  return typeof tokens === 'number' && Number.isSafeInteger(tokens) && tokens > 0 ? tokens : undefined;
}

/** The model that a reply names, if it names one. */
export function readModelName(model: unknown): string | undefined {
  return asText(model);
}

/** The failure of a reply that cannot be read, in our own words only. */
export function invalidReply(requestId: string | undefined): FreshetError {
  return new FreshetError('The provider answered something that is no list of embeddings.', {
    failureClass: 'transient',
    code: 'invalid_reply',
    requestId,
  });
}

/**
 * Checks the address of a provider and gives it back without a slash at its end.
 *
 * Texts and a key go there: the address is https, or http on this machine. It holds no key, and
 * leads to no place that cannot be a provider.
 *
 * @throws UsageError
 */
export function checkBaseUrl(baseUrl: string): string {
  const url = URL.parse(baseUrl);
  if (url === null) throw refuse('is not a URL');
  if (url.username !== '' || url.password !== '') throw refuse('holds a user name or password');
  if (url.search !== '' || url.hash !== '') throw refuse('holds a query or fragment');
  const host = url.hostname.replace(/^\[|\]$/g, '').replace(/\.$/, '');
  if (host === 'metadata.google.internal' || (isIP(host) !== 0 && isForbiddenAddress(host))) {
    throw refuse('names a link-local or metadata address');
  }
  const isLoopback = isIP(host) !== 0 ? isLoopbackAddress(host) : isLoopbackName(host);
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && isLoopback)) {
    throw refuse('is neither https nor http on this machine');
  }
  return url.href.replace(/\/+$/, '');
}

function refuse(what: string): UsageError {
  return new UsageError(
    `The model's base URL ${what}. Give an https address, as https://api.openai.com/v1, or http on localhost (baseUrl of the model, or OPENAI_BASE_URL).`,
  );
}

function asRecord(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}

function asText(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}
