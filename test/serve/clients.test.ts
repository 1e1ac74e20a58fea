import { connect } from 'node:net';
import { OpenAI } from 'openai';
import { afterEach, describe, expect, test } from 'vitest';
import { runChecks } from '../../bin/conformance/checks.ts';
import { openService } from '../../bin/conformance/service.ts';
import { type Listener, listen } from '../../lib/adapters/api/listen.ts';
import { openNetwork } from '../../lib/adapters/network/open-network.ts';
import { createHashProvider } from '../../lib/adapters/providers/hash.ts';
import { createHttpProvider } from '../../lib/adapters/providers/http.ts';
import { createOpenAiProvider } from '../../lib/adapters/providers/openai.ts';
import { createSystemClock } from '../../lib/adapters/system.ts';
import { FreshetError } from '../../lib/core/errors.ts';
import { createScriptedProvider } from '../doubles/scripted-provider.ts';
import { makeModel } from '../factories/model-definition.ts';
import { openApi, settled } from './open-api.ts';

const model = makeModel({ alias: 'words', dimensions: 64 });
const hash = createHashProvider(model);
let listener: Listener | undefined;
afterEach(async () => listener?.close(0));

type Settings = Parameters<typeof openApi>[0];

/** The service on a free port of this machine; by feature hashing where nothing else is said. */
async function listenTo(settings: Settings = {}, bounds: Partial<Parameters<typeof listen>[1]> = {}) {
  const provider = createScriptedProvider(request => hash.embed(request));
  const api = openApi({ provider, models: [model], bounds: { queueTokens: 1_000_000 }, ...settings });
  listener = await listen(api.app.fetch, { host: '127.0.0.1', port: 0, maxConnections: 100, ...bounds });
  return { ...api, url: listener.url };
}

const vectorsOf = async (texts: readonly string[]) => (await hash.embed({ texts, deadlineMs: 1 })).items;

describe('a served instance', () => {
  test('passes the checks of the contract', async () => {
    const { url } = await listenTo();

    const results = await runChecks(openService({ url, model: 'words', token: '', timeoutMs: 30_000 }));

    expect(results.filter(({ result }) => result === 'failed')).toEqual([]);
    expect(results.filter(({ result }) => result === 'skipped').map(({ name }) => name)).toEqual([
      'wrong token: 401',
      'no token: 401',
    ]);
  });

  test.each(['http', 'openai'] as const)('gives the adapter of provider %s its vectors', async name => {
    const { url } = await listenTo();
    const network = openNetwork();
    const served = makeModel({
      provider: name,
      modelId: 'words',
      dimensions: 64,
      sendDimensions: name === 'openai',
    });
    const provider =
      name === 'http'
        ? createHttpProvider(
            { ...served, baseUrl: url, sendTextHashes: true },
            { key: undefined },
            network,
            createSystemClock(),
          )
        : createOpenAiProvider(
            served,
            { key: undefined, baseUrl: `${url}/v1` },
            network,
            createSystemClock(),
          );
    const texts = ['a small animal', 'Zwei Wörter 🌊'];

    const reply = await provider.embed({ texts, deadlineMs: 30_000 });
    const unknown = await provider.embed({ texts: [' '], deadlineMs: 30_000 }).catch(error => error);
    await network.close();

    expect(reply.items.map(({ bytes }) => Buffer.from(bytes))).toEqual(
      (await vectorsOf(texts)).map(({ bytes }) => bytes),
    );
    expect(reply.tokens).toBeGreaterThan(1);
    expect(unknown).toBeInstanceOf(FreshetError);
    expect(unknown.failureClass).toBe('item');
  });

  test('tells the adapters of a model that it does not have so that the model is paused', async () => {
    const { url } = await listenTo();
    const network = openNetwork();
    const served = makeModel({ provider: 'http', modelId: 'wrods', dimensions: 64, baseUrl: url });
    const provider = createHttpProvider(served, { key: undefined }, network, createSystemClock());

    const failure = await provider.embed({ texts: ['a'], deadlineMs: 30_000 }).catch(error => error);
    await network.close();

    expect([failure.failureClass, failure.code]).toEqual(['stop', 'model_not_found']);
  });

  test('answers the package openai, which asks for base64 by itself', async () => {
    const { url } = await listenTo();
    const client = new OpenAI({ apiKey: 'any', baseURL: `${url}/v1`, maxRetries: 0 });

    const { data, usage } = await client.embeddings.create({ model: 'words', input: ['a small animal'] });
    const models = await client.models.list();
    const refusal = await client.embeddings.create({ model: 'words', input: '' }).catch(error => error);

    const { bytes } = (await vectorsOf(['a small animal']))[0]!;
    expect(data[0]?.embedding).toEqual([...new Float32Array(new Uint8Array(bytes).buffer)]);
    expect(usage.total_tokens).toBeGreaterThan(0);
    expect(models.data.map(({ id }) => id)).toEqual(['words']);
    expect(refusal).toMatchObject({ status: 400, code: 'invalid_request', param: 'input[0]' });
  });

  test('computes nothing for a connection that went away', async () => {
    const provider = createScriptedProvider(() => new Promise(() => undefined));
    const { url } = await listenTo({ provider });
    const client = new AbortController();

    const answer = fetch(`${url}/v1/embed`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ model: 'words', texts: ['left'] }),
      signal: client.signal,
    }).catch(error => error.name);
    while (provider.requests.length === 0) await settled();
    client.abort();

    expect(await answer).toBe('AbortError');
    const { signal } = provider.requests[0]!;
    while (!signal?.aborted) await settled();
    expect(signal.aborted).toBe(true);
  });

  test('cuts off who sends a request slowly, its headers or its body', async () => {
    const { url } = await listenTo({}, { headersMs: 100, requestMs: 200 });

    const ofHeaders = await talk(url, 'POST /v1/embed HTTP/1.1\r\nhost: localhost\r\n');
    const ofBody = await talk(
      url,
      'POST /v1/embed HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{',
    );

    expect([ofHeaders, ofBody]).toEqual([
      expect.stringContaining('408'),
      expect.stringMatching(/^$|408|400/),
    ]);
  });

  test('takes no more connections than its bound', async () => {
    const { url } = await listenTo({}, { maxConnections: 2 });
    const { hostname, port } = new URL(url);
    const sockets = Array.from({ length: 6 }, () => connect(Number(port), hostname));
    const closed = sockets.map(
      socket =>
        new Promise<boolean>(resolve =>
          socket.once('close', () => resolve(true)).on('error', () => undefined),
        ),
    );

    for (let isOver = false; !isOver; ) {
      const open = await Promise.all(closed.map(each => Promise.race([each, settled().then(() => false)])));
      isOver = open.filter(isClosed => isClosed).length === 4;
    }
    for (const socket of sockets) socket.destroy();
    expect((await Promise.all(closed)).length).toBe(6);
  });

  test('ends the connections that are idle, and answers the request in hand', async () => {
    let release = () => {};
    const provider = createScriptedProvider(async request => {
      await new Promise<void>(resolve => {
        release = resolve;
      });
      return hash.embed(request);
    });
    const { post: _, url } = await listenTo({ provider });
    const answer = fetch(`${url}/v1/embed`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ model: 'words', texts: ['in hand'] }),
    });
    while (provider.requests.length === 0) await settled();

    const closing = listener!.close(30_000);
    release();

    expect((await answer).status).toBe(200);
    await closing;
    await expect(fetch(`${url}/health`)).rejects.toThrow();
    listener = undefined;
  });
});

/** Sends the beginning of a request and nothing more, and resolves with what came until the end. */
function talk(url: string, beginning: string): Promise<string> {
  const { hostname, port } = new URL(url);
  return new Promise(resolve => {
    let answer = '';
    const socket = connect(Number(port), hostname, () => socket.write(beginning));
    socket.on('data', chunk => {
      answer += chunk.toString();
    });
    socket.on('error', () => undefined);
    socket.on('close', () => resolve(answer));
  });
}
