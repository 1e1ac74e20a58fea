/** Where a service is asked, and for how long. */
export interface RequestOptions {
  /** Where `freshet serve` listens; in a browser, '' is the page's own address. */
  readonly url: string;
  /** The bearer token, where the service asks for one. */
  readonly token?: string | undefined;
  /** Milliseconds of one try. */
  readonly timeoutMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Why no answer of use came. */
export interface Failure {
  readonly status: number;
  readonly code: string;
  readonly message: string;
  readonly retryAfterSeconds: number | undefined;
}

/** Sends a request as it is, to the end of the headers of its answer. */
export function postTo(
  url: string,
  path: string,
  method: string,
  body: object | undefined,
  token: string | undefined,
  signal: AbortSignal,
): Promise<Response> {
  return fetch(`${url.replace(/\/+$/, '')}${path}`, {
    method,
    redirect: 'error',
    headers: {
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    signal,
  });
}

interface Sent {
  /** Undefined: no answer came, and `json` says why: `timeout` or `unreachable`. */
  readonly response: Response | undefined;
  readonly json: unknown;
}

/** Sends a request, as POST unless said. No answer is no rejection: it is told by `response`. */
export async function send(
  path: string,
  body: object | undefined,
  { url, token, timeoutMs, signal }: RequestOptions & { readonly timeoutMs: number },
  method = 'POST',
): Promise<Sent> {
  const timeout = AbortSignal.timeout(timeoutMs);
  const either = signal === undefined ? timeout : AbortSignal.any([signal, timeout]);
  try {
    const response = await postTo(url, path, method, body, token, either);
    const json: unknown = await response.json().catch((error: unknown) => {
      // What is no JSON is an answer, and one that did not come to its end is none.
      if (!(error instanceof SyntaxError)) throw error;
    });
    return { response, json };
  } catch {
    signal?.throwIfAborted();
    return { response: undefined, json: timeout.aborted ? 'timeout' : 'unreachable' };
  }
}

/** Reads a refusal; what is no answer of the service counts as one of a broken server. */
export function readFailure(response: Response | undefined, json: unknown): Failure {
  if (response === undefined) {
    const code = String(json);
    return { status: 0, code, message: `no answer (${code})`, retryAfterSeconds: undefined };
  }
  const { ok, status, headers } = response;
  const { error } = Object(json) as { readonly error?: unknown };
  const { code, message } = Object(error) as { readonly code?: unknown; readonly message?: unknown };
  const seconds = Number(headers.get('retry-after') ?? Number.NaN);
  const isKnown = !ok && typeof code === 'string';
  return {
    status: ok ? 0 : status,
    code: isKnown ? code : 'invalid_answer',
    message: isKnown && typeof message === 'string' ? message : `an answer that is none (status ${status})`,
    retryAfterSeconds: Number.isFinite(seconds) ? seconds : undefined,
  };
}
