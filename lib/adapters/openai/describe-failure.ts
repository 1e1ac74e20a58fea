import type { ProviderSignal } from '../../core/errors/classify-provider-failure.ts';
import { parseWaitHint } from '../../core/retry/parse-wait-hint.ts';

/**
 * Codes and numbers of an error of the `openai` package or of `fetch`. The error itself must not travel on: message, body and stack can
 * hold the customer's text or a piece of the key.
 */
export function describeFailure(error: unknown, nowMs: number): ProviderSignal {
  const status = read(error, 'status');
  if (typeof status === 'number') return describeRefusal(error, status, nowMs);
  if (nameOf(error) === 'APIConnectionTimeoutError') return { timedOut: true };
  const networkCode = findNetworkCode(error);
  if (networkCode !== undefined) return { networkCode };
  return nameOf(error) === 'APIConnectionError' || error instanceof TypeError
    ? { networkCode: 'UNKNOWN' }
    : {};
}

/** `req_…`, a UUID or hexadecimal: what providers make. Anything else could be a text that the server echoes, and this one is logged. */
export function readRequestId(headers: { get(name: string): string | null } | undefined): string | undefined {
  const requestId = headers?.get('x-request-id') ?? '';
  return /^(req_[A-Za-z0-9]{1,64}|[0-9a-f-]{16,64})$/.test(requestId) ? requestId : undefined;
}

function describeRefusal(error: unknown, status: number, nowMs: number): ProviderSignal {
  const headers = read(error, 'headers');
  const readable = headers instanceof Headers ? headers : new Headers();
  const shouldRetry = readable.get('x-should-retry');
  return {
    status,
    code: readText(error, 'code'),
    type: readText(error, 'type'),
    param: readText(error, 'param'),
    retryAfterMs: parseWaitHint(readable, nowMs),
    requestId: readRequestId(readable),
    shouldRetry: shouldRetry === null ? undefined : shouldRetry === 'true',
  };
}

/** The first code on the way down: `fetch failed` ← `ECONNREFUSED`; `terminated` ← `UND_ERR_SOCKET`. */
function findNetworkCode(error: unknown): string | undefined {
  let cause: unknown = error;
  for (let depth = 0; depth < 5 && cause !== undefined; depth += 1) {
    const code = readText(cause, 'code');
    if (code !== undefined) return code;
    cause = read(cause, 'cause');
  }
  return undefined;
}

/** The package's errors all carry the name `Error`; their class has the one that tells. */
function nameOf(error: unknown): string | undefined {
  return error instanceof Error ? error.constructor.name : undefined;
}

function readText(value: unknown, key: string): string | undefined {
  const property = read(value, key);
  return typeof property === 'string' ? property : undefined;
}

function read(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[key] : undefined;
}
