import { describe, expect, test } from 'vitest';
import { goldenTexts } from '../../lib/core/golden-texts.ts';
import type { ModelDefinition } from '../../lib/core/model.ts';
import { checkModel } from '../../lib/pipeline/check-model.ts';
import type { GoldenKey, GoldenStore, GoldenVectors } from '../../lib/ports/report-store.ts';
import { createScriptedProvider, embedAll, failWith, vectorOf } from '../doubles/scripted-provider.ts';
import { createVirtualClock } from '../doubles/virtual-clock.ts';
import { makeModel } from '../factories/space.ts';
import { createCountingTokenizer } from '../factories/world.ts';

function createMemoryGoldenStore(): GoldenStore & { readonly confirmed: GoldenKey[] } {
  const records = new Map<string, GoldenVectors>();
  const confirmed: GoldenKey[] = [];
  const nameOf = ({ modelFingerprint, textVersion }: GoldenKey) => `${modelFingerprint} ${textVersion}`;
  return {
    confirmed,
    find: async key => records.get(nameOf(key)),
    async insert(key, _alias, vectors) {
      if (!records.has(nameOf(key)))
        records.set(nameOf(key), { vectors, recordedAt: '2026-11-21 10:00:00', ageSeconds: 0 });
    },
    async confirm(key) {
      confirmed.push(key);
    },
  };
}

function setUp(limits: Parameters<typeof createScriptedProvider>[1] = {}) {
  const provider = createScriptedProvider(embedAll, limits);
  const golden = createMemoryGoldenStore();
  const ports = { provider, golden, tokenizer: createCountingTokenizer(), clock: createVirtualClock() };
  const check = (changes: Partial<ModelDefinition> = {}) =>
    checkModel(ports, makeModel({ maxTokensPerText: 300, ...changes }), 10_000);
  return { ...ports, check };
}

describe('a model check', () => {
  test('records the vectors at first, and then compares with them', async () => {
    const { check, golden } = setUp();

    expect(await check()).toMatchObject({ golden: 'recorded', cosine: null, calls: 1, dimensions: 4 });
    const second = await check();
    expect(second).toMatchObject({ golden: 'compared' });
    expect(second.problem).toBeUndefined();
    expect(second.cosine).toBeCloseTo(1, 6);
    expect(second.norm).toBeCloseTo(1, 6);
    expect(golden.confirmed).toHaveLength(1);
  });

  test('asks one text that is longer than the model takes: cut by us, or left to a server that cuts', async () => {
    const local = setUp();
    const server = setUp({ tokenization: 'server' });

    await local.check({ documentPrefix: 'p: ' });
    await server.check();

    expect(local.provider.requests[0]?.texts.at(-1)).toHaveLength(300);
    expect(local.provider.requests[0]?.texts.at(-1)).toMatch(/^p: The harbour/);
    expect(server.provider.requests[0]?.texts).toEqual(goldenTexts(300));
    expect(Buffer.byteLength(goldenTexts(300).at(-1) ?? '')).toBeGreaterThan(6 * 300);
  });

  test('stays within the limits of a call', async () => {
    const { check, provider } = setUp({ maxTextsPerCall: 1 });

    expect(await check()).toMatchObject({ calls: 4, tokens: 40 });
    expect(provider.requests).toHaveLength(4);
  });

  test('says what differs, and which line to change', async () => {
    const { check, provider } = setUp();
    await check();
    const changed = new Set<number>([1]);
    provider.script = request => ({
      ...embedAll(request),
      items: request.texts.map((text, index) => ({
        index,
        bytes: vectorOf(changed.has(index) ? `${text} changed` : text),
      })),
    });

    const other = await check();
    changed.clear();
    changed.add(3);
    const cut = await check();

    expect(other.problem).toMatchObject({
      code: 'golden_mismatch',
      message: expect.stringContaining('Texts 2 of 4 differ'),
      key: 'revision',
    });
    expect(other.problem?.message).toContain('recorded 2026-11-21 10:00:00');
    expect(cut.problem?.message).toContain('Only the text over the limit differs');
  });

  test.each([
    [0.9991, undefined],
    [0.99901, undefined],
    [0.99899, 'golden_mismatch'],
    [0.9989, 'golden_mismatch'],
  ])('finds a cosine of %d %s', async (cosine, code) => {
    const { check, provider, golden } = setUp();
    const turnedBy = (cosineOfAll: number) => {
      provider.script = request => ({
        ...embedAll(request),
        items: request.texts.map((_, index) => ({
          index,
          bytes: Buffer.from(new Float32Array([cosineOfAll, Math.sqrt(1 - cosineOfAll ** 2), 0, 0]).buffer),
        })),
      });
    };
    turnedBy(1);
    await check();
    turnedBy(cosine);

    const second = await check();

    expect(second.cosine).toBeCloseTo(cosine, 6);
    expect(second.problem?.code).toBe(code);
    expect(golden.confirmed).toHaveLength(code === undefined ? 1 : 0);
  });

  test('measures the first call, which may have woken the endpoint', async () => {
    const { check, provider, clock } = setUp({ maxTextsPerCall: 1 });
    provider.script = async (request, call) => {
      await clock.sleep(call === 1 ? 1_234 : 5);
      return embedAll(request);
    };

    expect((await check()).latencyMs).toBe(1_234);
    expect((await check()).latencyMs).toBe(5);
  });

  test('compares nothing where it is switched off, and starts anew with another revision', async () => {
    const { check, provider } = setUp();
    await check();
    provider.script = request => ({
      ...embedAll(request),
      items: request.texts.map((text, index) => ({ index, bytes: vectorOf(`${text}!`) })),
    });

    expect(await check({ check: 'off' })).toMatchObject({ golden: 'off', cosine: null });
    expect(await check({ revision: '2' })).toMatchObject({ golden: 'recorded' });
    expect((await check()).problem?.code).toBe('golden_mismatch');
  });

  test.each([
    [{ dimensions: 8 }, 'wrong_dimensions', 'dimensions'],
    [{}, 'model_not_found', 'modelId'],
    [{}, 'embeddings_unsupported', 'modelId'],
    [{}, 'not_found', 'baseUrl'],
    [{}, 'foreign_403', 'baseUrl'],
    [{ endpointName: 'e' }, 'not_found', 'endpointName'],
    [{}, 'http_503', undefined],
  ])('with %j that fails as %s names the key %s', async (changes, code, key) => {
    const { check, provider } = setUp();
    if (code !== 'wrong_dimensions') provider.script = () => failWith('stop', code);

    const { golden, problem } = await check(changes);

    expect(golden).toBe('failed');
    expect(problem?.code).toBe(code);
    expect(problem?.key).toBe(key);
  });

  test('finds another known model behind the name', async () => {
    const { check, provider } = setUp();
    provider.script = request => ({ ...embedAll(request), model: 'all-mpnet-base-v2' });

    const { golden, problem } = await check({ modelId: 'bge-m3' });

    expect([golden, problem?.code, problem?.key]).toEqual(['failed', 'wrong_model', 'modelId']);
  });

  test('finds vectors whose length is not what the configuration says', async () => {
    const { check, provider } = setUp();
    provider.script = request => ({
      ...embedAll(request),
      items: request.texts.map((_, index) => ({
        index,
        bytes: Buffer.from(new Float32Array([3, 0, 0, 0]).buffer),
      })),
    });

    expect((await check()).problem).toMatchObject({
      code: 'invalid_vector',
      key: 'normalized',
    });
    expect(await check({ normalized: false })).toMatchObject({ golden: 'recorded', norm: 3 });
  });
});
