import { parseJson } from '../../lib/core/messages.ts';

/** A server that says it speaks `/v1/embed`, as the checks see it. */
export interface EmbedService {
  readonly model: string;
  readonly token: string;
  /** Sends a body. `token` undefined: the service's own; an empty one sends none. */
  post(body: unknown, token?: string): Promise<ServiceAnswer>;
}

interface ServiceAnswer {
  readonly status: number;
  /** Undefined where the body is no JSON. */
  readonly json: unknown;
}

/**
 * Opens the service at `url`, which ends before `/v1/embed`.
 * Calls reject when the connection breaks or the time is over.
 */
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

/** What a check throws: the sentence that says what does not conform. */
export class Nonconformity extends Error {}

export function insist(condition: boolean, otherwise: string): asserts condition {
  if (!condition) throw new Nonconformity(otherwise);
}

/** Embeds, and insists on an answer of the right shape. */
export async function embed(
  service: EmbedService,
  texts: readonly string[],
  changes: Readonly<Record<string, unknown>> = {},
): Promise<number[][]> {
  return readServiceVectors(
    await service.post({ model: service.model, texts, normalize: true, ...changes }),
    texts.length,
  );
}

export function readServiceVectors({ status, json }: ServiceAnswer, count: number): number[][] {
  insist(status === 200, `status ${status}, expected 200`);
  const { dim, vectors } = Object(json) as Record<string, unknown>;
  insist(typeof dim === 'number' && Number.isInteger(dim) && dim > 0, 'dim is no positive whole number');
  insist(Array.isArray(vectors), 'vectors is no list');
  insist(vectors.length === count, `${vectors.length} vectors for ${count} texts`);
  for (const [position, vector] of (vectors as unknown[]).entries()) {
    insist(Array.isArray(vector), `vectors[${position}] is no list`);
    insist(vector.length === dim, `vectors[${position}] has ${vector.length} numbers, dim is ${dim}`);
    insist(
      vector.every(value => typeof value === 'number' && Number.isFinite(Math.fround(value))),
      `vectors[${position}] holds something that is no float32`,
    );
    insist(lengthOf(vector) > 0, `vectors[${position}] is zero`);
  }
  return vectors as number[][];
}

export function lengthOf(vector: readonly number[]): number {
  return Math.hypot(...vector);
}

export function cosine(left: readonly number[], right: readonly number[]): number {
  const product = left.reduce((sum, value, position) => sum + value * (right[position] ?? Number.NaN), 0);
  return product / (lengthOf(left) * lengthOf(right));
}

/** Insists on the status and the `error.code` of a refusal. */
export function insistOnError(
  answer: ServiceAnswer,
  statuses: readonly number[],
  codes: readonly string[] = [],
): void {
  insist(statuses.includes(answer.status), `status ${answer.status}, expected ${statuses.join(' or ')}`);
  const { error } = Object(answer.json) as Record<string, unknown>;
  const { code } = Object(error) as Record<string, unknown>;
  insist(typeof code === 'string' && code !== '', 'the body has no error.code');
  insist(codes.length === 0 || codes.includes(code), `error.code is not ${codes.join(' or ')}`);
}
