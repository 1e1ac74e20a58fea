import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { embedTexts } from '../../lib/adapters/api/client.ts';
import { listen } from '../../lib/adapters/api/listen.ts';
import { createScriptedProvider, DIMENSIONS, failWith, vectorOf } from '../doubles/scripted-provider.ts';
import { makeModel } from '../factories/model-definition.ts';
import { staticClosure } from '../import-closure.ts';
import { openApi } from './open-api.ts';

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

async function serve(settings: Parameters<typeof openApi>[0] = {}) {
  const api = openApi({ bounds: { queueTokens: 1_000_000 }, ...settings });
  const listener = await listen(api.app.fetch, { host: '127.0.0.1', port: 0, maxConnections: 100 });
  closing.push(() => listener.close(0));
  return { url: listener.url, ...api };
}

/** A server that is none of ours. */
async function serveForeign(answer: RequestListener): Promise<string> {
  const server = createServer(answer);
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  closing.push(async () => server.close().closeAllConnections());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** Answers as a service does that is killed while it writes its answer. */
const endInMiddle: RequestListener = (_, response) => {
  response.writeHead(200, { 'content-type': 'application/json' });
  response.write('{"dim": 4, ', () => response.destroy());
};

const models = ['small'];
const NOBODY = 'http://127.0.0.1:1';

describe('embedTexts', () => {
  test.each([
    ['rt', 'find: a', 'query'],
    ['bulk', 'row: a', 'document'],
  ] as const)('by profile %s embeds as rows and searches are embedded', async (profile, sent, role) => {
    const prefixes = { documentPrefix: 'row: ', queryPrefix: 'find: ' };
    const { url, provider } = await serve({ models: [makeModel({ dimensions: DIMENSIONS, ...prefixes })] });

    const found = await embedTexts(['a'], { url, profile, models });

    expect(found).toEqual({
      vectors: [[...new Float32Array(new Uint8Array(vectorOf(sent)).buffer)]],
      ...{ model: 'small', revision: 'latest', dimensions: DIMENSIONS, tokens: 10 },
    });
    expect(provider.requests[0]?.role).toBe(role);
  });

  test('sends a long list in several requests, and keeps the order', async () => {
    const { url } = await serve();
    const texts = Array.from({ length: 250 }, (_, position) => `text ${position}`);

    const { vectors } = await embedTexts(texts, { url, profile: 'bulk', models });

    expect(vectors).toHaveLength(250);
    expect(vectors[249]).toEqual([...new Float32Array(new Uint8Array(vectorOf('text 249')).buffer)]);
  });

  test.each<[string, () => Promise<string>]>([
    ['is not there', async () => NOBODY],
    ['warms up', async () => (await serve({ isWarm: false })).url],
    [
      'has no provider',
      async () =>
        (await serve({ provider: createScriptedProvider(() => failWith('stop', 'unauthorized')) })).url,
    ],
    ['is another server', () => serveForeign((_, response) => response.end('<html>'))],
    ['is killed in the middle of its answer', () => serveForeign(endInMiddle)],
    ['has another model', async () => (await serve({ models: [makeModel({ alias: 'other' })] })).url],
  ])('asks fallbackUrl where the first service %s', async (_, open) => {
    const { url: fallbackUrl } = await serve();

    const found = await embedTexts(['a'], { url: await open(), fallbackUrl, profile: 'rt', models });

    expect(found.vectors).toHaveLength(1);
  });

  test('asks the next model where no service has the first, and says which one answered', async () => {
    const { url } = await serve();

    expect((await embedTexts(['a'], { url, profile: 'rt', models: ['fast', 'small'] })).model).toBe('small');
  });

  test('asks nobody else where the request itself is refused', async () => {
    const { url } = await serve();
    const { url: fallbackUrl, provider } = await serve();

    const failure = await embedTexts([' '], { url, fallbackUrl, profile: 'rt', models }).catch(
      error => error,
    );

    expect(failure).toMatchObject({ name: 'EmbedTextsError', status: 400, code: 'invalid_request' });
    expect(provider.requests).toEqual([]);
  });

  test('asks nobody else where one of the texts is refused, though another might take it', async () => {
    const { url } = await serve({ provider: createScriptedProvider(() => failWith('item', 'invalid_text')) });
    const { url: fallbackUrl, provider } = await serve();

    const asked = embedTexts(['a'], { url, fallbackUrl, profile: 'rt', models });

    await expect(asked).rejects.toMatchObject({ status: 422, code: 'invalid_text' });
    expect(provider.requests).toEqual([]);
  });

  test('says what went wrong, without the texts', async () => {
    const { url } = await serve({ isWarm: false });

    const ofService = await embedTexts(['canary'], { url, profile: 'rt', models }).catch(error => error);
    const ofNobody = await embedTexts(['canary'], { url: NOBODY, profile: 'rt', models }).catch(
      error => error,
    );

    expect(ofService).toMatchObject({ status: 503, code: 'not_ready', retryAfterSeconds: 5 });
    expect(ofNobody).toMatchObject({ status: 0, code: 'unreachable' });
    expect(`${ofService.message} ${ofNobody.message}`).not.toContain('canary');
  });

  test('ends with a time-out, and with the reason of its signal', async () => {
    const url = await serveForeign(() => undefined);
    const client = new AbortController();

    const late = await embedTexts(['a'], { url, profile: 'rt', models, timeoutMs: 20 }).catch(error => error);
    const given = embedTexts(['a'], { url, profile: 'rt', models, signal: client.signal });
    client.abort(new Error('left'));

    expect(late.code).toBe('timeout');
    await expect(given).rejects.toThrow('left');
  });

  test('ends alike where the answer stops in its middle', async () => {
    const url = await serveForeign((_, response) =>
      response.writeHead(200, { 'content-type': 'application/json' }).write('{"dim": 4, '),
    );
    const client = new AbortController();

    const given = embedTexts(['a'], { url, profile: 'rt', models, signal: client.signal });
    const late = await embedTexts(['a'], { url, profile: 'rt', models, timeoutMs: 100 }).catch(
      error => error,
    );
    client.abort(new Error('left'));

    await expect(given).rejects.toThrow('left');
    expect(late).toMatchObject({ status: 0, code: 'timeout' });
  });

  test('tells a service that is killed in the middle of its answer as one that is not there', async () => {
    const url = await serveForeign(endInMiddle);

    const failure = await embedTexts(['a'], { url, profile: 'rt', models }).catch(error => error);

    expect(failure).toMatchObject({ status: 0, code: 'unreachable' });
  });

  test('needs no package and nothing of Node, so that browsers have it too', () => {
    const own = ['client.ts', 'client-items.ts', 'client-requests.ts'];
    expect([...staticClosure('lib/adapters/api/client.ts').keys()]).toEqual(
      own.map(name => `lib/adapters/api/${name}`),
    );
  });
});
