import { parseJson } from '../../lib/core/messages.ts';

/** A server that says it speaks `/v1/embed`, as the checks see it. */
export interface EmbedService {
  readonly model: string;
  readonly token: string;
  /** Undefined: the token of the service; an empty one sends none. */
  post(body: unknown, token?: string): Promise<ServiceAnswer>;
}

export interface ServiceAnswer {
  readonly status: number;
  /** Undefined where the body is no JSON. */
  readonly json: unknown;
}

/** `url` ends before `/v1/embed`. Calls reject when the connection breaks or the time is over. */
export function openService(options: {
  readonly url: string;
  readonly model: string;
  readonly token: string;
  readonly timeoutMs: number;
}): EmbedService {
  const { url, model, token, timeoutMs } = options;
  return {
    model,
    token,
    async post(body, given = token) {
      const response = await fetch(`${url}/v1/embed`, {
        method: 'POST',
        redirect: 'manual',
        headers: {
          'content-type': 'application/json',
          accept: 'application/json',
          ...(given === '' ? {} : { authorization: `Bearer ${given}` }),
        },
        body: typeof body === 'string' ? body : JSON.stringify(body),
        signal: AbortSignal.timeout(timeoutMs),
      });
      return { status: response.status, json: parseJson(await response.text()) };
    },
  };
}
