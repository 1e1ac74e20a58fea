import { describe, expect, test } from 'vitest';
import { QueuePace } from '../../lib/pipeline/serve/queue-pace.ts';
import { createScriptedProvider, DIMENSIONS, embedAll, failWith } from '../doubles/scripted-provider.ts';
import { makeModel } from '../factories/model-definition.ts';
import { createHeldProvider, openApi, settled } from './open-api.ts';

const model = 'small';
const embed = (texts: readonly string[], more: object = {}) => ({ model, texts, ...more });
const textsOf = (provider: { readonly requests: readonly { readonly texts: readonly string[] }[] }) =>
  provider.requests.map(({ texts }) => texts);

/** A clock that only a test moves: no deadline passes by itself. */
function createHandClock() {
  let nowMs = 0;
  return {
    now: () => nowMs,
    advance: (ms: number) => {
      nowMs += ms;
    },
    sleep: (_: number, signal?: AbortSignal) =>
      new Promise<void>(resolve => signal?.addEventListener('abort', () => resolve())),
  };
}

describe('the queue of a model', () => {
  test('sends the texts of an idle service at once, and gathers while a call is under way', async () => {
    const { provider, release } = createHeldProvider();
    const { post } = openApi({ provider });

    const answers = ['a', 'b', 'c'].map(text => post('/v1/embed', embed([text])));
    await release();
    await release();

    expect((await Promise.all(answers)).map(({ status }) => status)).toEqual([200, 200, 200]);
    expect(textsOf(provider)).toEqual([['a'], ['b', 'c']]);
  });

  test('takes queries before documents', async () => {
    const { provider, release } = createHeldProvider();
    const { post } = openApi({ provider, bounds: { maxTextsPerCall: 1 } });

    const answers = [
      post('/v1/embed', embed(['first'])),
      post('/v1/embed', embed(['document'], { input_type: 'document' })),
      post('/v1/embed', embed(['query'], { input_type: 'query' })),
    ];
    for (let call = 0; call < 3; call += 1) await release();
    await Promise.all(answers);

    expect(textsOf(provider)).toEqual([['first'], ['query'], ['document']]);
  });

  test('takes no more tokens into a call than fit, and a text that fits nowhere alone', async () => {
    const { provider, release } = createHeldProvider();
    const { post } = openApi({ provider, bounds: { maxTokensPerCall: 10 } });
    const long = 'long '.repeat(9);

    const answers = ['x', long, 'short', 'other'].map(text => post('/v1/embed', embed([text])));
    for (let call = 0; call < 3; call += 1) await release();
    await Promise.all(answers);

    expect(textsOf(provider).map(texts => texts.length)).toEqual([1, 1, 2]);
  });

  test('refuses whole what is over its bound with 429 and Retry-After, beside requests that it answers', async () => {
    const { provider, release } = createHeldProvider();
    const { post } = openApi({ provider, bounds: { queueTokens: 30 } });
    const texts = (name: string) => Array.from({ length: 10 }, (_, position) => `${name}${position}`);

    const answers = [
      post('/v1/embed', embed(['first'])),
      post('/v1/embed', embed(texts('one'))),
      post('/v1/embed', embed(texts('two'))),
      post('/v1/embed', embed([...texts('three'), 'x'])),
      post('/v1/embed', embed(['y'])),
    ];
    await release();
    await release();
    const done = await Promise.all(answers);

    expect(done.map(({ status }) => status)).toEqual([200, 200, 200, 429, 200]);
    expect(Number(done[3]?.headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
    expect(done[3]?.json.error.code).toBe('rate_limited');
    expect(
      textsOf(provider)
        .flat()
        .some(text => text.startsWith('three')),
    ).toBe(false);
  });

  test('counts a list and as many single texts alike', async () => {
    const { provider } = createHeldProvider();
    const { post } = openApi({ provider, bounds: { queueTokens: 30 } });
    void post('/v1/embed', embed(['first']));
    const single = Array.from({ length: 40 }, (_, position) => post('/v1/embed', embed([`t${position}`])));

    const refused = await Promise.all(single.slice(30));

    expect(refused.map(({ status }) => status)).toEqual(Array(10).fill(429));
  });

  test('refuses what would take longer than its bound, by the pace of the calls before', async () => {
    const { provider, release } = createHeldProvider();
    const clock = createHandClock();
    const bounds = { maxTextsPerCall: 10, queueMs: 3000, cacheBytes: 0 };
    const { post } = openApi({ provider, clock, bounds });
    const texts = (name: string) => Array.from({ length: 10 }, (_, position) => `${name}${position}`);
    const ask = async (name: string) => {
      const answer = post('/v1/embed', embed(texts(name)));
      await settled();
      return answer;
    };
    const slowly = async () => {
      clock.advance(1000);
      await release();
    };

    // Nothing is measured before a call ends that had others behind it: two calls may wait.
    const first = [ask('a'), ask('b'), ask('c')];
    await settled();
    expect((await ask('x')).status).toBe(429);
    await slowly();
    await slowly();
    first.push(ask('d'));
    await settled();
    // One call is under way, and one waits: a third takes 3 seconds, a fourth would take 4.
    const third = ask('e');
    await settled();
    const fourth = await ask('f');
    for (let call = 0; call < 3; call += 1) await slowly();

    expect((await Promise.all([...first, third])).map(({ status }) => status)).toEqual(Array(5).fill(200));
    expect(fourth).toMatchObject({
      status: 429,
      json: {
        error: {
          code: 'rate_limited',
          message:
            'The queue of the model is full: the request would take about 4.0 s, and 3.0 s is the most.',
        },
      },
    });
    expect(fourth.headers.get('retry-after')).toBe('3');
  });

  test('learns of a model that becomes slow or fast where its bound is too short for full calls', async () => {
    const { provider, release } = createHeldProvider();
    const clock = createHandClock();
    const { post } = openApi({
      ...{ provider, clock },
      bounds: { maxTextsPerCall: 10, queueMs: 1500, cacheBytes: 0 },
    });
    let asked = 0;
    /** Asks for texts, one a request; gives how many are on their way and not refused. */
    const ask = async (count: number) => {
      let refused = 0;
      for (let text = 0; text < count; text += 1) {
        asked += 1;
        void post('/v1/embed', embed([`t${asked}`])).then(({ status }) => {
          if (status === 429) refused += 1;
        });
      }
      await settled();
      return count - refused;
    };
    const endCalls = async (count: number, ms: number) => {
      let taken = 0;
      for (let call = 0; call < count; call += 1) {
        clock.advance(ms);
        await release();
        taken = await ask(20);
      }
      return taken;
    };
    // A call of one text, a full one of ten, and one of ten that leaves nothing behind.
    expect(await ask(21)).toBe(21);
    for (let call = 0; call < 2; call += 1) {
      clock.advance(1000);
      await release();
    }

    // Ten are under way, a second's work: five more make the bound.
    expect(await ask(20)).toBe(5);
    expect(await endCalls(4, 1000)).toBeGreaterThanOrEqual(5);
    // By now no call is full, and each takes six times as long; one text may always wait.
    expect(await endCalls(12, 6000)).toBe(1);
    expect(await endCalls(40, 100)).toBeGreaterThanOrEqual(5);
  });

  test('refuses no query for the documents that wait: it goes before them', async () => {
    const { provider, release } = createHeldProvider();
    const { post } = openApi({ provider, bounds: { maxTextsPerCall: 10, queueTokens: 30 } });
    const texts = (name: string) => Array.from({ length: 10 }, (_, position) => `${name}${position}`);
    const first = ['a', 'b', 'c'].map(name => post('/v1/embed', embed(texts(name))));
    await settled();

    expect((await post('/v1/embed', embed(texts('d')))).status).toBe(429);
    const query = post('/v1/embed', embed(['query'], { input_type: 'query' }));
    await settled();
    for (let call = 0; call < 4; call += 1) await release();

    expect((await query).status).toBe(200);
    expect((await Promise.all(first)).map(({ status }) => status)).toEqual([200, 200, 200]);
  });

  test('takes the slowness of an idle service for none of a full one', async () => {
    const { provider, release } = createHeldProvider();
    const clock = createHandClock();
    const { post } = openApi({ provider, clock, bounds: { queueMs: 3000, cacheBytes: 0 } });
    const alone = post('/v1/embed', embed(['alone']));
    await settled();
    clock.advance(2000);
    await release();
    await alone;

    // By the pace of that call, 60 texts would take 2 minutes.
    const answers = Array.from({ length: 60 }, (_, place) => post('/v1/embed', embed([`text ${place}`])));
    await settled();
    for (let call = 0; call < 2; call += 1) await release();

    expect((await Promise.all(answers)).map(({ status }) => status)).toEqual(Array(60).fill(200));
  });

  test('takes a request above its bound where nothing waits, so that it is not refused for ever', async () => {
    const { post } = openApi({ bounds: { queueTokens: 1 } });

    expect((await post('/v1/embed', embed(['one', 'two', 'three']))).status).toBe(200);
  });
});

describe('a client that leaves', () => {
  test('is not computed while it waits', async () => {
    const { provider, release } = createHeldProvider();
    const { post, send } = openApi({ provider });
    const client = new AbortController();

    const first = post('/v1/embed', embed(['first']));
    await settled();
    const left = post('/v1/embed', embed(['left', 'too']), { signal: client.signal });
    const third = post('/v1/embed', embed(['third']));
    await settled();
    client.abort();
    expect((await left).status).toBe(499);
    await release();
    await release();
    await Promise.all([first, third]);

    expect(textsOf(provider)).toEqual([['first'], ['third']]);
    expect((await send('/metrics')).text).toContain('embed_dropped_total{model="small"} 2');
  });

  test('ends the call that nobody else waits for', async () => {
    const provider = createScriptedProvider(() => new Promise(() => undefined));
    const { post } = openApi({ provider });
    const client = new AbortController();

    const left = post('/v1/embed', embed(['left']), { signal: client.signal });
    await settled();
    client.abort();

    expect((await left).status).toBe(499);
    expect(provider.requests[0]?.signal?.aborted).toBe(true);
  });

  test('takes nothing from another client that waits for the same text', async () => {
    const { provider, release } = createHeldProvider();
    const { post } = openApi({ provider });
    const client = new AbortController();

    const first = post('/v1/embed', embed(['first']));
    const left = post('/v1/embed', embed(['shared']), { signal: client.signal });
    const stays = post('/v1/embed', embed(['shared']));
    await settled();
    client.abort();
    await left;
    await release();
    await release();

    expect([(await first).status, (await stays).status]).toEqual([200, 200]);
    expect(textsOf(provider)).toEqual([['first'], ['shared']]);
  });
});

describe('equal texts', () => {
  test('are computed once: within a request, while under way, and from the cache', async () => {
    const { post, provider, send } = openApi();

    const both = await Promise.all([
      post('/v1/embed', embed(['a', 'a'])),
      post('/v1/embed', embed(['a', 'b'])),
    ]);
    await post('/v1/embed', embed(['b']));

    expect(both.map(({ json }) => json.vectors.length)).toEqual([2, 2]);
    expect(textsOf(provider).flat().toSorted()).toEqual(['a', 'b']);
    const { text } = await send('/metrics');
    expect(text).toContain('embed_cache_total{model="small",result="hit"} 1');
    expect(text).toContain('embed_cache_total{model="small",result="joined"} 1');
    expect(text).toContain('embed_cache_total{model="small",result="miss"} 2');
  });

  test('are two for a model that embeds queries and documents otherwise', async () => {
    const { post, provider } = openApi();

    await post('/v1/embed', embed(['a'], { input_type: 'query' }));
    await post('/v1/embed', embed(['a'], { input_type: 'document' }));

    expect(provider.requests.map(({ role }) => role)).toEqual(['query', 'document']);
  });

  test('are computed again where the cache has no room for them', async () => {
    const { post, provider } = openApi({ bounds: { cacheBytes: 2 * (300 + DIMENSIONS * 4) } });

    for (const text of ['a', 'b', 'a', 'c', 'b', 'a']) await post('/v1/embed', embed([text]));

    // `a` was used after `b` when `c` came, so that `b` went.
    expect(textsOf(provider).flat()).toEqual(['a', 'b', 'c', 'b', 'a']);
  });
});

describe('a text that is refused', () => {
  test('harms none of the requests that share its call', async () => {
    const { provider, release } = createHeldProvider();
    const { script } = provider;
    provider.script = async (request, call) =>
      request.texts.includes('poison') ? failWith('item', 'invalid_text') : script(request, call);
    const { post } = openApi({ provider });

    const answers = ['first', 'a', 'poison', 'b', 'c'].map(text => post('/v1/embed', embed([text])));
    for (let call = 0; call < 3; call += 1) await release();

    expect((await Promise.all(answers)).map(({ status }) => status)).toEqual([200, 200, 422, 200, 200]);
  });

  test('is named by its place, in each of the requests that have it', async () => {
    const provider = createScriptedProvider(request =>
      request.texts.includes('poison') ? failWith('item', 'invalid_text') : embedAll(request),
    );
    const { post } = openApi({ provider });

    const answers = await Promise.all([
      post('/v1/embed', embed(['a', 'b', 'poison', 'c', 'poison'])),
      post('/v1/embeddings', { model, input: ['poison', 'd'] }),
    ]);

    expect(answers.map(({ status, json }) => [status, json.error.param])).toEqual([
      [422, 'texts[2]'],
      [422, 'input[0]'],
    ]);
    expect(answers[0]?.json.error.message).toBe('The provider refuses text 2 of the request (invalid_text).');
  });

  test('by an unusable vector is refused alone', async () => {
    const provider = createScriptedProvider(request => {
      const { items, ...reply } = embedAll(request);
      const spoiled = items.map(item =>
        request.texts[item.index] === 'bad' ? { ...item, bytes: Buffer.alloc(DIMENSIONS * 4) } : item,
      );
      return { ...reply, items: spoiled };
    });
    const { post } = openApi({ provider });

    const answers = await Promise.all([post('/v1/embed', embed(['ok'])), post('/v1/embed', embed(['bad']))]);

    expect(answers.map(({ status }) => status)).toEqual([200, 502]);
  });
});

test('a text of which the model knows no word is 422, and its neighbours are answered', async () => {
  const provider = createScriptedProvider(request => {
    const { items, ...reply } = embedAll(request);
    const isKnown = ({ index }: { readonly index: number }) => request.texts[index] !== 'ქართული';
    const excluded = items
      .filter(item => !isKnown(item))
      .map(({ index }) => ({ index, reason: 'unknown-words' as const }));
    return { ...reply, items: items.filter(isKnown), excluded };
  });
  const { post } = openApi({ provider });

  const answers = await Promise.all([
    post('/v1/embed', embed(['ok'])),
    post('/v1/embed', embed(['ქართული'])),
  ]);

  expect(answers.map(({ status }) => status)).toEqual([200, 422]);
  expect(answers[1]?.json.error).toMatchObject({
    message: 'Text 0 has no word that the model knows (unknown_words).',
    param: 'texts[0]',
  });
});

describe('a service that ends', () => {
  test('answers what it has, refuses what comes, and says so', async () => {
    const { provider, release } = createHeldProvider();
    const { post, send, service } = openApi({ provider });

    const first = post('/v1/embed', embed(['first']));
    await settled();
    let isDrained = false;
    void service.drain().then(() => {
      isDrained = true;
    });
    const late = await post('/v1/embed', embed(['late']));
    const ready = await send('/ready');
    await settled();
    expect(isDrained).toBe(false);
    await release();

    expect((await first).status).toBe(200);
    await settled();
    expect(isDrained).toBe(true);
    expect(late).toMatchObject({ status: 503, json: { error: { code: 'not_ready' } } });
    expect(ready).toMatchObject({ status: 503, json: { status: 'draining' } });
  });
});

test('models have queues of their own', async () => {
  const { provider, release } = createHeldProvider();
  const models = ['small', 'other'].map(alias => makeModel({ alias, dimensions: DIMENSIONS }));
  const { post } = openApi({ provider, models });

  const answers = [post('/v1/embed', embed(['a'])), post('/v1/embed', { model: 'other', texts: ['a'] })];
  await settled();
  expect(provider.requests).toHaveLength(2);
  await release();
  await release();

  expect((await Promise.all(answers)).map(({ json }) => json.model)).toEqual(['small', 'other']);
});

test('the pace of calls with room is theirs, however few tokens some of them have', () => {
  const pace = new QueuePace();
  let nowMs = 0;
  const call = (tokens: number, ms: number, wasFull: boolean) => {
    const startedMs = nowMs;
    nowMs += ms;
    pace.ended({ tokens, startedMs, wasFull, hasOthers: true }, nowMs);
  };
  for (let full = 0; full < 20; full += 1) call(16_000, 8000, true);
  expect(pace.measuredMs(10_000)).toBeCloseTo(5000);

  const measured: number[] = [];
  for (let pair = 0; pair < 200; pair += 1)
    for (const tokens of [100, 4000]) {
      call(tokens, tokens / 4, false);
      measured.push(pace.measuredMs(10_000)!);
    }

  const settledMs = measured.slice(60);
  expect(Math.min(...settledMs)).toBeGreaterThan(2000);
  expect(Math.max(...settledMs)).toBeLessThan(3000);
});
