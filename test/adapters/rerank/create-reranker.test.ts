import { afterEach, describe, expect, it } from 'vitest';
import { openNetwork } from '../../../lib/adapters/network/open-network.ts';
import { createReranker } from '../../../lib/adapters/rerank/create-reranker.ts';
import { createSystemClock } from '../../../lib/adapters/system.ts';
import { rerankerSection } from '../../../lib/core/config/reranker-schema.ts';
import { startRerankServer } from '../../servers/start-rerank-server.ts';

type Server = Awaited<ReturnType<typeof startRerankServer>>;

let servers: Server[] = [];
afterEach(async () => {
  await Promise.all(servers.map(server => server.close()));
  servers = [];
});

const never = new AbortController().signal;
const TEXTS = ['a boat', 'a small furry animal', 'the small sea'];

async function open(
  dialect: 'tei' | 'cohere' | 'voyage',
  changes: { timeoutMs?: number; key?: string } = {},
) {
  const server = await startRerankServer(dialect);
  servers.push(server);
  const { timeoutMs = 10_000, key = dialect === 'tei' ? undefined : 'a-key' } = changes;
  const section = rerankerSection.parse({
    ...{ dialect, url: server.url, timeoutMs },
    ...(dialect !== 'tei' && { model: 'rerank-2' }),
  });
  const access = { key: key === undefined ? undefined : async () => key };
  return { server, reranker: createReranker('mine', section, access, openNetwork(), createSystemClock()) };
}

describe('a reranker', () => {
  const bodies = {
    tei: { query: 'small animal', texts: TEXTS, raw_scores: false, truncate: true },
    cohere: { model: 'rerank-2', query: 'small animal', documents: TEXTS, top_n: 3 },
    voyage: { model: 'rerank-2', query: 'small animal', documents: TEXTS, top_k: 3, truncation: true },
  };
  it.each(['tei', 'cohere', 'voyage'] as const)(
    'speaks to a server of %s and gives scores in the order of the texts',
    async dialect => {
      const { server, reranker } = await open(dialect);

      expect(await reranker.score('small animal', TEXTS, never)).toEqual([0, 1, 0.5]);
      expect(server.requests).toEqual([
        {
          path: new URL(server.url).pathname,
          authorization: dialect === 'tei' ? undefined : 'Bearer a-key',
          body: bodies[dialect],
        },
      ]);
    },
  );

  it('gives up at its deadline, and where the client left', async () => {
    const { server, reranker } = await open('tei', { timeoutMs: 50 });
    server.settings.delayMs = 5000;

    await expect(reranker.score('a', TEXTS, never)).rejects.toMatchObject({ code: 'timeout' });
    await expect(reranker.score('a', TEXTS, AbortSignal.abort())).rejects.toMatchObject({ code: 'aborted' });
  });

  const broken = [
    ['a text without a score', '[{"index":0,"score":1},{"index":1,"score":1}]'],
    ['a text with two', '[{"index":0,"score":1},{"index":0,"score":1},{"index":1,"score":1}]'],
    ['a place that is none', '[{"index":0,"score":1},{"index":7,"score":1},{"index":1,"score":1}]'],
    ['a score that is no number', '[{"index":0,"score":null},{"index":2,"score":1},{"index":1,"score":1}]'],
    ['no list', '{"results":[]}'],
    ['no JSON', 'up'],
  ];
  it.each(broken)('refuses an answer with %s', async (_, body) => {
    const { server, reranker } = await open('tei');
    server.settings.answer = { status: 200, body };

    await expect(reranker.score('a', TEXTS, never)).rejects.toMatchObject({ code: 'invalid_reply' });
  });

  it('says a refused key and a broken server in words that hold nothing of the texts', async () => {
    const refused = await open('cohere', { key: 'other' });
    const down = await open('tei');
    down.server.settings.answer = { status: 500, body: '{"error":"a small furry animal"}' };

    for (const { reranker } of [refused, down]) {
      const error = await reranker.score('small animal', TEXTS, never).catch((thrown: Error) => thrown);
      expect(String(error)).not.toMatch(/furry|small/);
      expect(error).toMatchObject({ name: 'FreshetError' });
    }
  });

  it('is refused with an address that texts may not be sent to, and without a model where servers have several', () => {
    const make = (url: string) => {
      const section = rerankerSection.parse({ dialect: 'tei', url });
      return () => createReranker('mine', section, { key: undefined }, openNetwork(), createSystemClock());
    };

    expect(make('http://example.com/rerank')).toThrow(/rerankers\.mine\.url is neither https nor http/);
    expect(make('http://169.254.169.254/rerank')).toThrow(/names a link-local/);
    expect(() => rerankerSection.parse({ dialect: 'cohere', url: 'https://a/b' })).toThrow(/name of a model/);
  });
});
