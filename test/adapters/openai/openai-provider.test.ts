import { OpenAI } from 'openai';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type Network, openNetwork } from '../../../lib/adapters/network/open-network.ts';
import { createOpenAiProvider } from '../../../lib/adapters/providers/openai.ts';
import { FreshetError } from '../../../lib/core/errors.ts';
import { validateReply } from '../../../lib/core/reply.ts';
import type { Clock } from '../../../lib/ports/process.ts';
import {
  type Behaviour,
  type LoopbackOptions,
  type LoopbackServer,
  startLoopbackOpenAiServer,
} from '../../doubles/loopback-openai-server.ts';
import { vectorForText } from '../../doubles/vector-for-text.ts';
import { makeModel } from '../../factories/model-definition.ts';

const CANARY = 'canary-7d1f-text';
const KEY = 'sk-canary-key-93ab';

const key = async () => KEY;

let server: LoopbackServer;
const network = openNetwork();

beforeEach(async () => {
  server = await startLoopbackOpenAiServer();
});

afterEach(async () => {
  vi.unstubAllEnvs();
  await server.close();
});

/** A clock whose sleeps end when the test says so. */
function makeClock(): Clock & { ring(): void; readonly sleepsMs: number[] } {
  const waiting: (() => void)[] = [];
  const sleepsMs: number[] = [];
  return {
    sleepsMs,
    now: () => 1_000_000,
    sleep: (ms, signal) =>
      new Promise(resolve => {
        sleepsMs.push(ms);
        waiting.push(resolve);
        signal?.addEventListener('abort', () => resolve(), { once: true });
      }),
    ring: () => {
      for (const wake of waiting) wake();
    },
  };
}

function embed(texts: readonly string[], changes: Parameters<typeof makeModel>[0] = {}) {
  const provider = createOpenAiProvider(
    makeModel(changes),
    { key, baseUrl: server.baseUrl },
    network,
    makeClock(),
  );
  return provider.embed({ texts, deadlineMs: 5000 });
}

async function failure(behaviour: Behaviour): Promise<FreshetError> {
  server.setBehaviour(() => behaviour);
  const error = await embed([CANARY, 'b']).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(FreshetError);
  return error as FreshetError;
}

async function restart(options: LoopbackOptions): Promise<void> {
  await server.close();
  server = await startLoopbackOpenAiServer(options);
}

describe('a reply', () => {
  it('gives the bytes that the server encoded, its tokens and its request id', async () => {
    const reply = await embed(['one', 'two']);

    expect(reply.items.map(item => item.bytes)).toEqual([vectorForText('one', 8), vectorForText('two', 8)]);
    expect(reply.tokens).toBe(2);
    expect(reply.requestId).toBe('req_loopback');
  });

  it('reads floats where the server does not know base64', async () => {
    await restart({ alwaysFloats: true });

    const reply = await embed(['one']);

    expect(reply.items[0]?.bytes).toEqual(vectorForText('one', 8));
  });

  it('asks for base64, and for dimensions only where the model takes them', async () => {
    await embed(['one']);
    await restart({ dimensions: 8 });
    await embed(['one'], { sendDimensions: false });

    expect(server.calls[0]?.body).toEqual({
      model: 'text-embedding-3-small',
      input: ['one'],
      encoding_format: 'base64',
    });
  });

  it('reads an answer that begins with a byte order mark', async () => {
    const right = vectorForText('one', 8);
    const data = [{ index: 0, embedding: right.toString('base64') }];
    server.setBehaviour(() => ({ kind: 'raw', body: `\ufeff${JSON.stringify({ data, model: 'größer' })}` }));

    const reply = await embed(['one']);

    expect(reply.items).toEqual([{ index: 0, bytes: right }]);
  });

  it('tells of no tokens rather than of none used', async () => {
    server.setBehaviour(() => ({
      kind: 'raw',
      body: JSON.stringify({ data: [], usage: { prompt_tokens: 0 } }),
    }));

    expect((await embed(['one'])).tokens).toBeUndefined();
  });

  it.each([
    ['not base64 at all', '!!!!'],
    ['the URL alphabet', '-_-_'],
    ['cut in the middle of a group', vectorForText('one', 8).toString('base64').slice(0, -2)],
    ['null', null],
    ['with a letter that is none', `*${vectorForText('one', 8).toString('base64').slice(1)}`],
  ])('gives no bytes for an embedding that is %s, and keeps its neighbour', async (_, embedding) => {
    server.setBehaviour(() => ({
      kind: 'alter',
      data: data => [{ ...data[0], embedding }, data[1]],
    }));

    const reply = await embed(['one', 'two']);

    expect(validateReply(reply, { count: 2, dimensions: 8, normalized: true })).toEqual({
      vectors: [null, vectorForText('two', 8)],
      invalid: [0],
      excluded: new Map(),
    });
  });

  it('keeps null components of a float reply from becoming zeros', async () => {
    server.setBehaviour(() => ({
      kind: 'alter',
      data: data => [{ ...data[0], embedding: [1, null, 0, 0, 0, 0, 0, 0] }],
    }));

    const reply = await embed(['one']);

    expect(validateReply(reply, { count: 1, dimensions: 8, normalized: true }).invalid).toEqual([0]);
  });
});

describe('what is no reply', () => {
  it.each<[string, Behaviour]>([
    ['an HTML page', { kind: 'raw', body: '<html>Bad gateway</html>', contentType: 'text/html' }],
    ['an HTML page that says it is JSON', { kind: 'raw', body: '<html></html>' }],
  ])("may be about one text where it is not the provider's own: %s", async (_, behaviour) => {
    expect(await failure(behaviour)).toMatchObject({ failureClass: 'item', code: 'foreign_200' });
  });

  it.each<[string, Behaviour]>([
    ['an empty object', { kind: 'raw', body: '{}' }],
    ['an empty body', { kind: 'raw', body: '' }],
    ['null data', { kind: 'raw', body: '{"data":null}' }],
    ['an item that is none', { kind: 'raw', body: '{"data":[null]}' }],
    ['a word for an index', { kind: 'raw', body: '{"data":[{"index":"first","embedding":"AAAA"}]}' }],
    ['null', { kind: 'raw', body: 'null' }],
    ['NaN in the JSON', { kind: 'raw', body: '{"data":[{"index":0,"embedding":[NaN]}]}' }],
    ['half of the JSON', { kind: 'truncated-json' }],
  ])('is tried again: %s', async (_, behaviour) => {
    expect(await failure(behaviour)).toMatchObject({ failureClass: 'transient', code: 'invalid_reply' });
  });

  it.each<[string, Behaviour]>([
    ['a reset before the headers', { kind: 'reset' }],
    ['a body cut off', { kind: 'cut-body' }],
  ])('is tried again: %s', async (_, behaviour) => {
    const error = await failure(behaviour);

    expect(error.failureClass).toBe('transient');
    expect(error.code).toMatch(/^network_/);
  });

  it('is tried again when nobody listens', async () => {
    const baseUrl = server.baseUrl;
    await server.close();
    const provider = createOpenAiProvider(makeModel(), { key, baseUrl }, network, makeClock());

    await expect(provider.embed({ texts: ['a'], deadlineMs: 1000 })).rejects.toMatchObject({
      failureClass: 'transient',
      code: 'network_econnrefused',
    });
  });
});

describe('a refusal', () => {
  it.each([
    [429, { code: 'rate_limit_exceeded' }, 'throttled', 'rate_limit'],
    [429, { code: 'insufficient_quota' }, 'stop', 'insufficient_quota'],
    [429, { type: 'insufficient_quota' }, 'stop', 'insufficient_quota'],
    [400, { code: 'max_tokens_per_request' }, 'too-large', 'max_tokens_per_request'],
    [400, { param: 'dimensions' }, 'stop', 'parameter_dimensions'],
    [400, {}, 'item', 'http_400'],
    [401, {}, 'stop', 'unauthorized'],
    [404, { code: 'model_not_found' }, 'stop', 'model_not_found'],
    [413, {}, 'too-large', 'http_413'],
    [503, {}, 'transient', 'http_503'],
    [418, {}, 'unknown', 'http_418'],
  ])('with %i %o is %s (%s)', async (status, error, failureClass, code) => {
    const seen = await failure({ kind: 'status', status, body: { error } });

    expect(seen).toMatchObject({ failureClass, code, requestId: 'req_loopback' });
    // What may be about base64 is asked once more without it.
    expect(server.callCount).toBe(code === 'http_400' ? 2 : 1);
  });

  it.each([
    [400, { code: 'context_length_exceeded' }, 'item', 'context_length_exceeded'],
    [429, { error_type: 'Overloaded' }, 'throttled', 'overloaded'],
    [500, { error: 'unsupported value: NaN', type: 'insufficient_quota' }, 'stop', 'insufficient_quota'],
  ])('with %i %o, words outside `error`, is %s (%s)', async (status, body, failureClass, code) => {
    expect(await failure({ kind: 'status', status, body })).toMatchObject({ failureClass, code });
  });

  it('is what broke below HTTP, though its code reads like a time-out', async () => {
    const broken: Network = {
      post: () => Promise.reject(Object.assign(new Error('connect'), { code: 'ETIMEDOUT' })),
      stream: () => Promise.reject(new Error('no other request is made')),
      close: async () => undefined,
    };
    const access = { key, baseUrl: server.baseUrl };
    const provider = createOpenAiProvider(makeModel(), access, broken, makeClock());

    await expect(provider.embed({ texts: ['a'], deadlineMs: 1000 })).rejects.toMatchObject({
      failureClass: 'transient',
      code: 'network_etimedout',
    });
  });

  it.each([
    [{ 'retry-after': '120' }, 120_000],
    [{ 'retry-after-ms': '250', 'retry-after': '9' }, 250],
    [{ 'x-ratelimit-reset-requests': '1s', 'x-ratelimit-reset-tokens': '6m0s' }, 360_000],
  ])('passes on how long to wait: %o', async (headers, retryAfterMs) => {
    expect(await failure({ kind: 'status', status: 429, headers })).toMatchObject({ retryAfterMs });
  });

  it.each([
    ['120000', 120_000],
    [' 1000000 ', 1_000_000],
    ['-1', undefined],
    ['0', undefined],
    ['0.4', undefined],
    ['unlimited', undefined],
    ['6m0s', undefined],
    ['0x10', undefined],
    ['1e999', undefined],
    ['120000, 60000', undefined],
  ])('learns the limit %o of a refusal as %o', async (named, tokensPerMinute) => {
    const headers = { 'x-ratelimit-limit-tokens': named, 'retry-after': '1' };
    const { rateLimits } = await failure({ kind: 'status', status: 429, headers });

    const known = tokensPerMinute && { requestsPerMinute: null, tokensPerMinute };
    expect(rateLimits).toEqual(known);
  });

  it('keeps neither the text nor the key, wherever the server echoes them', async () => {
    for (const status of [400, 401, 422, 429, 500, 418]) {
      const error = await failure({ kind: 'echo', status });

      const traces = [
        error.message,
        error.stack,
        error.code,
        error.requestId,
        JSON.stringify(error),
        String(error.cause),
      ];
      expect(traces.join(' ')).not.toMatch(/canary-key|7d1f/);
    }
  });

  it('stops at a redirect and sends nothing after it', async () => {
    const elsewhere = await startLoopbackOpenAiServer();
    for (const status of [301, 302, 307, 308]) {
      const error = await failure({ kind: 'redirect', status, location: `${elsewhere.baseUrl}/embeddings` });

      expect(error).toMatchObject({ failureClass: 'stop', code: 'redirect' });
    }

    expect(elsewhere.callCount).toBe(0);
    await elsewhere.close();
  });
});

describe('a deadline', () => {
  it.each<Behaviour['kind'] & ('hang' | 'hang-body')>(['hang', 'hang-body'])(
    'ends a call in which the server falls silent (%s)',
    async kind => {
      const clock = makeClock();
      const called = new Promise<void>(resolve => {
        server.setBehaviour(() => {
          setImmediate(resolve);
          return { kind };
        });
      });
      const provider = createOpenAiProvider(makeModel(), { key, baseUrl: server.baseUrl }, network, clock);
      const call = provider.embed({ texts: ['a'], deadlineMs: 1000 });
      await called;
      expect(clock.sleepsMs).toEqual([1000]);
      clock.ring();

      await expect(call).rejects.toMatchObject({ failureClass: 'transient', code: 'timeout' });
    },
  );

  it('gives way to the caller who gives up', async () => {
    const stop = new AbortController();
    server.setBehaviour(() => {
      setImmediate(() => stop.abort());
      return { kind: 'hang' };
    });
    const provider = createOpenAiProvider(
      makeModel(),
      { key, baseUrl: server.baseUrl },
      network,
      makeClock(),
    );

    await expect(
      provider.embed({ texts: ['a'], deadlineMs: 1000, signal: stop.signal }),
    ).rejects.toMatchObject({ failureClass: 'transient', code: 'aborted' });
  });
});

describe('the environment', () => {
  it('changes nothing, however hostile', async () => {
    const elsewhere = await startLoopbackOpenAiServer();
    vi.stubEnv('OPENAI_BASE_URL', elsewhere.baseUrl);
    vi.stubEnv('OPENAI_API_KEY', 'sk-other');
    vi.stubEnv('OPENAI_ADMIN_KEY', 'sk-admin');
    vi.stubEnv('OPENAI_ORG_ID', 'org-other');
    vi.stubEnv('OPENAI_PROJECT_ID', 'proj-other');
    vi.stubEnv('OPENAI_LOG', 'debug');
    vi.stubEnv('OPENAI_CUSTOM_HEADERS', 'authorization: Bearer stolen\nx-leak: 1');

    await embed(['one']);

    const headers = server.calls[0]?.headers ?? {};
    expect(elsewhere.callCount).toBe(0);
    expect(headers.authorization).toBe(`Bearer ${KEY}`);
    expect(Object.keys(headers).filter(name => /^(x-|openai-)/.test(name))).toEqual([]);
    await elsewhere.close();
  });

  it('makes the package print nothing, where it would tell of each request by itself', async () => {
    vi.stubEnv('OPENAI_LOG', 'debug');
    const printed: string[] = [];
    const spies = (['debug', 'info', 'log', 'warn', 'error'] as const).map(name =>
      vi.spyOn(console, name).mockImplementation((...told: unknown[]) => {
        printed.push(JSON.stringify(told));
      }),
    );
    const ofPackage = new OpenAI({ apiKey: KEY, baseURL: server.baseUrl, maxRetries: 0 });
    await ofPackage.embeddings.create({ model: 'text-embedding-3-small', input: CANARY });
    const printedByPackage = printed.splice(0);

    await embed([CANARY]);
    await failure({ kind: 'echo', status: 400 });
    await failure({ kind: 'reset' });
    for (const spy of spies) spy.mockRestore();

    expect(printedByPackage.length).toBeGreaterThan(0);
    expect(printed).toEqual([]);
  });

  it('stops with the remedy when custom headers cannot be read', async () => {
    vi.stubEnv('OPENAI_CUSTOM_HEADERS', 'not a header: 1');

    await expect(embed(['one'])).rejects.toMatchObject({ failureClass: 'stop', code: 'client_setup' });
  });
});

it('sends no key where there is none', async () => {
  const provider = createOpenAiProvider(
    makeModel(),
    { key: undefined, baseUrl: server.baseUrl },
    network,
    makeClock(),
  );

  await provider.embed({ texts: ['one'], deadlineMs: 1000 });

  expect(server.calls[0]?.headers.authorization).toBeUndefined();
});

it('refuses a call that the pipeline packed beyond the limits, before sending it', async () => {
  await expect(embed(new Array(2049).fill('a'))).rejects.toMatchObject({
    failureClass: 'too-large',
    code: 'over_call_limits',
  });
  expect(server.callCount).toBe(0);
});

it('refuses a key that no header can carry, without showing it', async () => {
  const access = { key: async () => `${KEY}\n`, baseUrl: server.baseUrl };
  const provider = createOpenAiProvider(makeModel(), access, network, makeClock());

  const error: unknown = await provider.embed({ texts: ['a'], deadlineMs: 1000 }).catch(reason => reason);

  expect(error).toMatchObject({ failureClass: 'stop', code: 'malformed_key' });
  expect(String(error)).not.toContain('canary');
});
