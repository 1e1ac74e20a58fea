import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What a rerank server of some maker was asked, header and body as they came. */
export interface RerankRequest {
  readonly path: string;
  readonly authorization: string | undefined;
  readonly body: Readonly<Record<string, unknown>>;
}

type Maker = 'tei' | 'cohere' | 'voyage';

/**
 * Starts a server that reranks as its maker's documentation says, strict in what it takes.
 *
 * A text scores by the share of the query's words in it. Entries come best first, as all makers
 * send them, and Cohere's and Voyage's carry what nobody asked for. `answer` replaces an answer.
 */
export async function startRerankServer(maker: Maker) {
  const requests: RerankRequest[] = [];
  const settings: {
    delayMs: number;
    answer: { readonly status: number; readonly body: string } | undefined;
  } = { delayMs: 0, answer: undefined };
  const server = createServer(async (request, response) => {
    const body = JSON.parse(await readText(request)) as Record<string, unknown>;
    const { authorization } = request.headers;
    requests.push({ path: request.url ?? '', authorization, body });
    await new Promise(resolve => setTimeout(resolve, settings.delayMs));
    const { status, body: text } = settings.answer ?? rerank(maker, authorization, body);
    response.writeHead(status, { 'content-type': 'application/json' }).end(text);
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    ...{ requests, settings, url: `http://127.0.0.1:${port}${PATHS[maker]}` },
    close: () =>
      new Promise<void>(resolve => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

const PATHS = { tei: '/rerank', cohere: '/v2/rerank', voyage: '/v1/rerank' } as const;
const FIELDS = {
  tei: ['query', 'texts', 'raw_scores', 'return_text', 'truncate', 'truncation_direction'],
  cohere: ['model', 'query', 'documents', 'top_n', 'max_tokens_per_doc', 'priority'],
  voyage: ['model', 'query', 'documents', 'top_k', 'return_documents', 'truncation'],
} as const;

function rerank(maker: Maker, authorization: string | undefined, body: Readonly<Record<string, unknown>>) {
  const unknown = Object.keys(body).find(key => !(FIELDS[maker] as readonly string[]).includes(key));
  if (unknown !== undefined) return refuse(422, `unknown field ${unknown}`);
  if (maker !== 'tei' && authorization !== 'Bearer a-key') return refuse(401, 'invalid api token');
  const texts = body[maker === 'tei' ? 'texts' : 'documents'];
  if (!Array.isArray(texts) || texts.length === 0 || typeof body.query !== 'string')
    return refuse(400, 'invalid request');
  const words = new Set(body.query.toLowerCase().split(/\W+/));
  const scored = (texts as string[])
    .map((text, index) => {
      const found = text
        .toLowerCase()
        .split(/\W+/)
        .filter(word => words.has(word));
      return { index, score: new Set(found).size / words.size };
    })
    .sort((a, b) => b.score - a.score);
  if (maker === 'tei') return { status: 200, body: JSON.stringify(scored) };
  const named = scored.map(({ index, score }) => ({ index, relevance_score: score }));
  return {
    status: 200,
    body: JSON.stringify(
      maker === 'cohere'
        ? { id: 'a-call', results: named, meta: { billed_units: { search_units: 1 } } }
        : { object: 'list', data: named, model: body.model, usage: { total_tokens: 26 } },
    ),
  };
}

const refuse = (status: number, message: string) => ({ status, body: JSON.stringify({ message }) });

async function readText(request: IncomingMessage): Promise<string> {
  const pieces: Buffer[] = [];
  for await (const piece of request) pieces.push(piece as Buffer);
  return Buffer.concat(pieces).toString('utf8');
}
