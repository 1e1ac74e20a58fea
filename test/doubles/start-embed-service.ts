import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { floatsOf } from './behaviours/protocols.ts';
import { vectorForText } from './vector-for-text.ts';

export const SERVICE = { model: 'reference', token: 'service-token', dimensions: 8, maxTexts: 1000 } as const;

/** One way each of breaking the contract. */
export type Flaw =
  | 'short'
  | 'reversed'
  | 'sorted'
  | 'contextual'
  | 'random'
  | 'constant'
  | 'unnormalised'
  | 'ascii'
  | 'one-script'
  | 'drops-empty'
  | 'crashes-on-length'
  | 'small-batch'
  | 'cuts-batch'
  | 'any-model'
  | 'any-token'
  | 'wrong-error-shape'
  | 'accepts-anything'
  | 'strict-fields'
  | 'wrong-dim';

interface Request {
  readonly model?: unknown;
  readonly texts?: unknown;
  readonly normalize?: unknown;
  readonly vector_text_hash?: unknown;
}

/** The reference implementation of `docs/contracts/embed-v1.yaml` in memory, with a flaw if one is wanted. */
export async function startEmbedService(
  flaw?: Flaw,
): Promise<{ readonly url: string; close(): Promise<void> }> {
  let calls = 0;
  const server = createServer(async (request, response) => {
    calls += 1;
    answer(request, await readBody(request), response, flaw, calls);
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise(resolve => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function answer(
  request: IncomingMessage,
  body: Request | undefined,
  response: ServerResponse,
  flaw: Flaw | undefined,
  calls: number,
) {
  const refuse = (status: number, code: string) =>
    sendJson(response, status, flaw === 'wrong-error-shape' ? { detail: code } : { error: { code } });
  if (request.url !== '/v1/embed' || request.method !== 'POST') return refuse(404, 'not_found');
  if (flaw !== 'any-token' && request.headers.authorization !== `Bearer ${SERVICE.token}`)
    return refuse(401, 'unauthorized');
  if (body === undefined) return refuse(400, 'invalid_request');
  if (flaw === 'strict-fields' && body.vector_text_hash !== undefined) return refuse(422, 'unknown_field');
  if (flaw !== 'any-model' && body.model !== SERVICE.model) return refuse(404, 'model_not_found');
  const texts = readTexts(body.texts, flaw);
  if (texts === undefined) return refuse(422, 'invalid_request');
  if (flaw === 'one-script' && texts.some(text => /^\p{Script=Hebrew}/u.test(text)))
    return refuse(500, 'unknown_words');
  if (texts.some(text => text.length > 100_000) && flaw === 'crashes-on-length')
    return refuse(500, 'crashed');
  const most = flaw === 'small-batch' ? 32 : SERVICE.maxTexts;
  if (texts.length > most && flaw !== 'cuts-batch') return refuse(413, 'batch_too_large');
  const kept = flaw === 'drops-empty' ? texts.filter(text => text !== '') : texts.slice(0, most);
  const vectors = kept.map(text => floatsOf(vectorForText(text, SERVICE.dimensions)));
  const spoiled = spoil(vectors, kept, body.normalize !== false, flaw, calls);
  sendJson(response, 200, { dim: SERVICE.dimensions + (flaw === 'wrong-dim' ? 1 : 0), vectors: spoiled });
}

function readTexts(texts: unknown, flaw: Flaw | undefined): string[] | undefined {
  if (flaw === 'accepts-anything') return Array.isArray(texts) ? texts.map(String) : [];
  const valid = Array.isArray(texts) && texts.every(text => typeof text === 'string');
  return valid ? (texts as string[]) : undefined;
}

function spoil(
  vectors: number[][],
  texts: readonly string[],
  normalize: boolean,
  flaw: Flaw | undefined,
  calls: number,
): number[][] {
  const vectorOf = (text: string) => floatsOf(vectorForText(text, SERVICE.dimensions));
  const scale = (factor: number) => vectors.map(vector => vector.map(value => value * factor));
  switch (flaw) {
    case 'short':
      return vectors.slice(0, Math.max(1, vectors.length - 1));
    case 'reversed':
      return [...vectors].reverse();
    case 'sorted':
      return [...texts].sort().map(vectorOf);
    case 'contextual':
      return texts.map(text => vectorOf(texts.length === 1 ? `${text} alone` : text));
    case 'random':
      return texts.map((text, position) => vectorOf(`${text} ${calls} ${position}`));
    case 'constant':
      return texts.map(() => vectorOf('constant'));
    case 'ascii':
      return vectors.map((vector, position) =>
        /[^\p{ASCII}]/u.test(texts[position] ?? '') ? vector.fill(0) : vector,
      );
    case 'unnormalised':
      return scale(3);
    default:
      return normalize ? vectors : scale(3);
  }
}

async function readBody(request: IncomingMessage): Promise<Request | undefined> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  try {
    return JSON.parse(Buffer.concat(chunks).toString('utf8')) as Request;
  } catch {
    return undefined;
  }
}

function sendJson(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify(body));
}
