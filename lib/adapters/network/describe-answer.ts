import type { Dialect, ProviderSignal } from '../../core/errors/provider-signal.ts';
import { parseWaitHint } from '../../core/retry/parse-wait-hint.ts';
import type { AnswerHeaders } from './open-network.ts';

/** What an answer that is no success says of itself. */
export function describeAnswer(
  answer: { readonly status: number; readonly headers: AnswerHeaders; readonly body: unknown },
  dialect: Dialect,
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

/** Of `{error: {code, type, param}}` (OpenAI), `{code, type}` (TEI's OpenAI route, vLLM) and `{error_type}` (TEI). */
export function readErrorWords(body: unknown): Pick<ProviderSignal, 'code' | 'type' | 'param'> {
  const outer = asRecord(body);
  const inner = asRecord(outer.error);
  return {
    code: asText(inner.code) ?? asText(outer.code),
    type: asText(inner.type) ?? asText(outer.error_type) ?? asText(outer.type) ?? findSentence(outer.error),
    param: asText(inner.param),
  };
}

/** Ollama has sentences where others have words. This one says that a text's vector is NaN, which comes as a fault of the server. */
function findSentence(error: unknown): string | undefined {
  return typeof error === 'string' && error.includes('unsupported value: NaN')
    ? 'unsupported_value'
    : undefined;
}

/** `req_…`, a UUID or hexadecimal: what providers make. Anything else could be a text that the server echoes, and this one is logged. */
export function readRequestId(headers: AnswerHeaders | undefined): string | undefined {
  const requestId = headers?.get('x-request-id') ?? '';
  return /^(req_[A-Za-z0-9]{1,64}|[0-9a-f-]{16,64})$/.test(requestId) ? requestId : undefined;
}

function asRecord(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}

function asText(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}
