import { describe, expect, test } from 'vitest';
import { createScriptedProvider, DIMENSIONS, failWith, vectorOf } from '../doubles/scripted-provider.ts';
import { createVirtualClock } from '../doubles/virtual-clock.ts';
import { makeModel } from '../factories/model-definition.ts';
import { openApi } from './open-api.ts';

const model = 'small';
const floatsOf = (text: string) => [...new Float32Array(new Uint8Array(vectorOf(text)).buffer)];

describe('POST /v1/embed', () => {
  test('answers a vector for each text, with model, revision and tokens', async () => {
    const { post } = openApi();

    const { status, json } = await post('/v1/embed', { model, texts: ['one', 'two'], normalize: true });

    expect({ status, json }).toEqual({
      status: 200,
      json: {
        dim: DIMENSIONS,
        vectors: [floatsOf('one'), floatsOf('two')],
        model,
        revision: 'latest',
        tokens: 20,
        usage: { tokens: 20 },
      },
    });
  });

  test.each([
    ['query', 'find: one', 'query'],
    ['document', 'row: one', 'document'],
    [undefined, 'one', 'document'],
  ])(
    'adds the prefix of input_type %s as it is added to rows and searches',
    async (input_type, sent, role) => {
      const prefixes = { documentPrefix: 'row: ', queryPrefix: 'find: ' };
      const { post, provider } = openApi({ models: [makeModel({ dimensions: DIMENSIONS, ...prefixes })] });

      await post('/v1/embed', { model, texts: [' one\0 '], input_type });

      expect(provider.requests).toMatchObject([{ texts: [sent], role }]);
    },
  );

  test('gives vectors of length 1 of a model whose own are of another length', async () => {
    const provider = createScriptedProvider(({ texts }) => ({
      items: texts.map((_, index) => ({ index, bytes: Buffer.from(new Float32Array([3, 4, 0, 0]).buffer) })),
      tokens: 1,
      requestId: undefined,
    }));
    const { post } = openApi({
      provider,
      models: [makeModel({ dimensions: DIMENSIONS, normalized: false })],
    });

    const scaled = await post('/v1/embed', { model, texts: ['one'] });
    const plain = await post('/v1/embed', { model, texts: ['one'], normalize: false });

    expect(scaled.json.vectors[0]).toEqual([0.6, 0.8, 0, 0]);
    expect(plain.json.vectors[0]).toEqual([3, 4, 0, 0]);
  });

  test('cuts a text over the limit where it may, as a row is cut', async () => {
    const { post, provider } = openApi({
      models: [makeModel({ dimensions: DIMENSIONS, maxTokensPerText: 3 })],
    });

    const { status } = await post('/v1/embed', { model, texts: ['one two three four five'], truncate: true });

    expect(status).toBe(200);
    expect(provider.requests[0]?.texts).toEqual(['one two three']);
  });
});

describe('a request that is wrong', () => {
  test.each([
    ['/v1/embeddings', { input: [] }, 'input', 'expected at least one'],
    ['/v1/embeddings', { input: { text: 'one' } }, 'input', 'expected a text, or an array of texts'],
    ['/v1/embeddings', { input: [[1, 2]] }, 'input', 'expected a text, or an array of texts'],
  ])('of %s with %j names the field and what was expected', async (path, body, param, told) => {
    const { post } = openApi();

    const { status, json } = await post(path, { model, ...body });

    expect([status, json.error.param]).toEqual([400, param]);
    expect(json.error.message).toContain(told);
  });

  test('ends in the middle of its body: nobody is left to answer, and no failure is logged', async () => {
    const { send, lines } = openApi();
    const body = new ReadableStream({
      start(controller) {
        controller.enqueue(new TextEncoder().encode('{"model":'));
        controller.error(Object.assign(new Error('aborted'), { code: 'ECONNRESET' }));
      },
    });

    const { status } = await send('/v1/embed', {
      ...{ method: 'POST', body, duplex: 'half' },
      headers: { 'content-type': 'application/json' },
    } as RequestInit);

    expect([status, lines]).toEqual([499, []]);
  });
});

describe('POST /v1/embeddings', () => {
  test('answers in the shape of OpenAI', async () => {
    const { post } = openApi();

    const { json } = await post('/v1/embeddings', { model, input: 'one', user: 'u-1' });

    expect(json).toEqual({
      object: 'list',
      data: [{ object: 'embedding', index: 0, embedding: floatsOf('one') }],
      model,
      usage: { prompt_tokens: 10, total_tokens: 10 },
    });
  });

  test('answers base64 where it is asked for', async () => {
    const { post } = openApi();

    const { json } = await post('/v1/embeddings', {
      model,
      input: ['one', 'two'],
      encoding_format: 'base64',
    });

    expect(json.data.map(({ embedding }: { embedding: string }) => embedding)).toEqual(
      ['one', 'two'].map(text => vectorOf(text).toString('base64')),
    );
  });

  test('refuses dimensions that the model does not have, and says which it has', async () => {
    const { post } = openApi();

    const { status, json } = await post('/v1/embeddings', { model, input: 'one', dimensions: 2 });

    expect(status).toBe(400);
    expect(json.error).toMatchObject({
      param: 'dimensions',
      message: expect.stringContaining('has 4 dimensions'),
    });
  });
});

/** One line of the table of inputs: what is sent, and what is answered. */
const REFUSED: readonly (readonly [string, string, unknown, number, string, string | null, RegExp])[] = [
  ['an empty list', '/v1/embed', { model, texts: [] }, 400, 'invalid_request', 'texts', /at least one/],
  ['an empty text', '/v1/embed', { model, texts: ['a', ' \n'] }, 400, 'invalid_request', 'texts[1]', /empty/],
  ['an empty input', '/v1/embeddings', { model, input: '' }, 400, 'invalid_request', 'input[0]', /empty/],
  ['no JSON', '/v1/embed', '{"model":', 400, 'invalid_request', 'body', /no JSON/],
  ['a list as body', '/v1/embed', [1], 400, 'invalid_request', 'body', /expected an object/],
  [
    'no texts',
    '/v1/embed',
    { model },
    400,
    'invalid_request',
    'texts',
    /expected an array of texts, but it is missing/,
  ],
  [
    'a number as text',
    '/v1/embed',
    { model, texts: ['a', 2] },
    400,
    'invalid_request',
    'texts[1]',
    /expected a text/,
  ],
  ['tokens as input', '/v1/embeddings', { model, input: [[1, 2]] }, 400, 'invalid_request', 'input', /./],
  [
    'a misspelt key',
    '/v1/embed',
    { model, texts: ['a'], truncat: true },
    400,
    'invalid_request',
    'truncat',
    /did you mean truncate/,
  ],
  [
    'a misspelt key that must be there',
    '/v1/embed',
    { model, textz: ['a'] },
    400,
    'invalid_request',
    'textz',
    /did you mean texts/,
  ],
  [
    'an unknown model',
    '/v1/embed',
    { model: 'smal', texts: ['a'] },
    400,
    'model_not_found',
    'model',
    /did you mean "small"/,
  ],
  [
    'an unknown model of OpenAI',
    '/v1/embeddings',
    { model: 'x', input: 'a' },
    400,
    'model_not_found',
    'model',
    /known: small/,
  ],
  [
    'a body over the limit',
    '/v1/embed',
    { model, texts: ['a'.repeat(3_000_000)] },
    413,
    'payload_too_large',
    null,
    /2097152 bytes/,
  ],
  [
    'too many texts',
    '/v1/embed',
    { model, texts: Array(2049).fill('a') },
    413,
    'batch_too_large',
    null,
    /2049 texts; at most 2048/,
  ],
  [
    'a text over the model',
    '/v1/embed',
    { model, texts: ['a', 'word '.repeat(9000)] },
    422,
    'text_too_long',
    'texts[1]',
    /900\d tokens; model "small" takes 8191/,
  ],
  [
    'a wrong hash',
    '/v1/embed',
    { model, texts: ['a'], vector_text_hash: ['0'.repeat(64)] },
    400,
    'invalid_request',
    'vector_text_hash[0]',
    /SHA-256/,
  ],
  [
    'too few hashes',
    '/v1/embed',
    { model, texts: ['a'], vector_text_hash: [] },
    400,
    'invalid_request',
    'vector_text_hash',
    /expected 1 hashes/,
  ],
];

describe('what is refused', () => {
  test.each(REFUSED)('%s', async (_, path, body, status, code, param, message) => {
    const { post, provider } = openApi();

    const answer = await post(path, body);

    expect(answer).toMatchObject({
      status,
      json: { error: { code, param, message: expect.stringMatching(message) } },
    });
    expect(answer.json.error.type).toBe('invalid_request_error');
    expect(provider.requests).toEqual([]);
  });

  test('a body over the limit that announces no length', async () => {
    const { app } = openApi({ maxBodyBytes: 1000 });
    const body = new ReadableStream({
      pull: controller => controller.enqueue(new TextEncoder().encode('x'.repeat(600))),
    });

    const answer = await app.request('http://localhost/v1/embed', {
      ...{ method: 'POST', body, duplex: 'half', headers: { 'content-type': 'application/json' } },
    } as RequestInit);

    expect(answer.status).toBe(413);
  });

  test.each([
    ['another content type', { 'content-type': 'text/plain' }, 415],
    ['a compressed body', { 'content-encoding': 'gzip' }, 415],
    ['a host of somebody else', { host: 'attacker.example' }, 403],
    ['a page of another site', { 'sec-fetch-site': 'cross-site', origin: 'https://attacker.example' }, 403],
    ['a page of another port', { 'sec-fetch-site': 'same-site' }, 403],
    ['an origin, from a browser without fetch metadata', { origin: 'https://attacker.example' }, 403],
  ])('%s', async (_, headers, status) => {
    const { post, provider } = openApi();

    const answer = await post('/v1/embed', { model, texts: ['a'] }, { headers });

    expect(answer.status).toBe(status);
    expect(provider.requests).toEqual([]);
  });

  test.each([
    ['a configured host', { host: 'embeddings.internal:8080' }],
    ['this machine', { host: '127.0.0.1:8080' }],
    ['a page of the service itself', { 'sec-fetch-site': 'same-origin', origin: 'http://localhost' }],
    ['the address bar', { 'sec-fetch-site': 'none' }],
  ])('not %s', async (_, headers) => {
    const { post } = openApi();

    expect((await post('/v1/embed', { model, texts: ['a'] }, { headers })).status).toBe(200);
  });

  test('an unknown address with 404, a wrong method with 405', async () => {
    const { send } = openApi();

    expect((await send('/v1/embedd')).status).toBe(404);
    expect((await send('/v1/embed')).status).toBe(405);
  });
});

describe('a provider that fails', () => {
  test.each([
    ['stop', 'unauthorized', 502, 'provider_failed', /class stop, code unauthorized/],
    ['transient', 'timeout', 502, 'provider_failed', /class transient, code timeout/],
    ['unknown', 'unclassified', 502, 'provider_failed', /class unknown/],
    ['item', 'invalid_text', 422, 'invalid_text', /refuses text 0/],
    ['too-large', 'payload_too_large', 422, 'text_too_long', /Text 0 is too large/],
    ['throttled', 'rate_limit', 429, 'rate_limited', /patience/],
  ] as const)(
    'with class %s is answered by what it means',
    async (failureClass, code, status, named, message) => {
      const provider = createScriptedProvider(() => failWith(failureClass, code, 7000));
      const { post } = openApi({ provider, clock: createVirtualClock() });

      const answer = await post('/v1/embed', { model, texts: ['a'] });

      expect(answer).toMatchObject({
        status,
        json: { error: { code: named, message: expect.stringMatching(message) } },
      });
      expect(answer.headers.get('retry-after')).toBe(status === 429 ? '7' : null);
    },
  );

  test('for a moment is tried again', async () => {
    const provider = createScriptedProvider();
    const { script } = provider;
    provider.script = (request, call) =>
      call < 3 ? failWith('transient', 'http_500') : script(request, call);
    const { post } = openApi({ provider, clock: createVirtualClock() });

    expect((await post('/v1/embed', { model, texts: ['a'] })).status).toBe(200);
    expect(provider.requests).toHaveLength(3);
  });

  test('never to answer is ended by the deadline, with 504', async () => {
    const provider = createScriptedProvider(() => new Promise(() => undefined));
    const { post } = openApi({ provider, clock: createVirtualClock(), bounds: { deadlineMs: 3000 } });

    const answer = await post('/v1/embed', { model, texts: ['a'] });

    expect(answer).toMatchObject({ status: 504, json: { error: { code: 'deadline' } } });
    expect(provider.requests[0]?.signal?.aborted).toBe(true);
  });
});

describe('the other addresses', () => {
  test('/v1/models lists the models', async () => {
    const { send } = openApi();

    expect((await send('/v1/models')).json.data).toEqual([
      expect.objectContaining({
        id: 'small',
        object: 'model',
        dimensions: 4,
        revision: 'latest',
        max_tokens: 8191,
      }),
    ]);
  });

  test('/ready is 503 until each model is warm, and says why', async () => {
    const { send, post, service } = openApi({ isWarm: false });

    service.warmed('small', 'golden_mismatch');
    const cold = await send('/ready');
    const refused = await post('/v1/embed', { model, texts: ['a'] });
    service.warmed('small', undefined);

    expect(cold.status).toBe(503);
    expect(cold.json).toEqual({
      status: 'warming',
      models: [{ model: 'small', ready: false, code: 'golden_mismatch' }],
    });
    expect(refused).toMatchObject({ status: 503, json: { error: { code: 'not_ready' } } });
    expect(refused.headers.get('retry-after')).toBe('5');
    expect((await send('/ready')).status).toBe(200);
    expect((await send('/health')).json).toEqual({ status: 'ok' });
  });
});
