import { classifyProviderFailure } from '../../core/errors/classify-provider-failure.ts';
import { FreshetError } from '../../core/errors/freshet-error.ts';
import type { Dialect } from '../../core/errors/provider-signal.ts';
import { codeOfWord } from '../../core/errors/provider-words.ts';
import { parseJson } from '../../core/messages/parse-json.ts';
import { describeAnswer, readErrorWords, readRequestId } from './describe-answer.ts';
import { findNetworkCode } from './find-network-code.ts';
import type { AnswerHeaders, Network, PostAnswer } from './open-network.ts';
import { invalidReply } from './read-vectors.ts';

interface JsonRequest {
  readonly url: string;
  readonly body: object;
  /** Bearer token; none is sent when it is empty. */
  readonly key: string;
  readonly signal: AbortSignal;
  readonly maxAnswerBytes: number;
  readonly dialect: Dialect;
  readonly nowMs: () => number;
}

export interface JsonReply {
  readonly json: Readonly<Record<string, unknown>>;
  readonly requestId: string | undefined;
}

/** An object that a 2xx carried. Everything else rejects with `FreshetError`: also a 200 whose body says that it is an error. */
export async function postJson(network: Network, request: JsonRequest): Promise<JsonReply> {
  const answer = await post(network, request);
  const json = parseJson(answer.body.toBuffer().toString('utf8'));
  const requestId = readRequestId(answer.headers);
  if (answer.status < 200 || answer.status > 299) {
    throw classifyProviderFailure(
      describeAnswer({ ...answer, body: json }, request.dialect, request.nowMs()),
    );
  }
  if (typeof json !== 'object' || json === null) throw invalidReply(requestId);
  rejectErrorBody(json, answer.headers, request);
  return { json: json as Record<string, unknown>, requestId };
}

/** Proxies answer errors with 200. Words that are not known say nothing: such a body is no list of embeddings, and that is said later. */
export function rejectErrorBody(
  json: unknown,
  headers: AnswerHeaders,
  { dialect, nowMs }: Pick<JsonRequest, 'dialect' | 'nowMs'>,
): void {
  const { code, type } = readErrorWords(json);
  if ((codeOfWord(code, dialect) ?? codeOfWord(type, dialect)) === undefined) return;
  throw classifyProviderFailure(describeAnswer({ status: 200, headers, body: json }, dialect, nowMs()));
}

/** No `authorization` where the key is empty. */
export function composeHeaders(key: string): Readonly<Record<string, string>> {
  return {
    accept: 'application/json',
    'content-type': 'application/json',
    ...(key === '' ? {} : { authorization: `Bearer ${key}` }),
  };
}

async function post(network: Network, request: JsonRequest): Promise<PostAnswer> {
  try {
    return await network.post({
      url: request.url,
      headers: composeHeaders(request.key),
      body: JSON.stringify(request.body),
      signal: request.signal,
      maxAnswerBytes: request.maxAnswerBytes,
    });
  } catch (error) {
    if (error instanceof FreshetError) throw error;
    throw classifyProviderFailure({ networkCode: findNetworkCode(error) ?? 'UNKNOWN' });
  }
}
