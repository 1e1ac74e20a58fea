import { describe, expect, test } from 'vitest';
import { readWordnetRows } from '../../bench/apparatus/wordnet-rows.ts';
import { createTokenizer } from '../../lib/adapters/tokenizer.ts';
import { buyVectors } from '../../lib/pipeline/embed/buy-vectors.ts';
import type { EmbeddingLimits } from '../../lib/ports/provider.ts';
import { createScriptedProvider } from '../doubles/scripted-provider.ts';
import { makeSpace } from '../factories/space.ts';
import { makeWorld } from '../factories/world.ts';

const tokenizer = createTokenizer();
const rows = await readWordnetRows(6_000);
const texts = rows.map(({ title, summary, tags }) => `${title}\n${summary}\n${tags.join(', ')}`);
/** Longer than a gloss, as articles are. */
const articles = Array.from({ length: 200 }, (_, index) =>
  texts.slice(index * 30, index * 30 + 30).join(' '),
);

async function buy(limits: Partial<EmbeddingLimits>, bought: readonly string[], documentPrefix = '') {
  const space = makeSpace({ model: { documentPrefix } });
  const world = makeWorld([space]);
  const provider = createScriptedProvider(undefined, limits);
  let counted = 0;
  const counting = {
    ...tokenizer,
    count: (text: string) => {
      counted += 1;
      return tokenizer.count(text);
    },
  };
  const ports = { ...world.embedPorts, providers: () => provider, tokenizer: counting };
  ports.limits = { ...ports.limits, batchSize: 100_000 };
  const unique = bought.map(text => ({ text, contentHash: '', rows: [] }));
  const purchase = await buyVectors(ports, space, 'bulk', unique, () => 600_000);
  expect(purchase.results.size).toBe(bought.length);
  return { calls: provider.requests.map(request => request.texts), counted };
}

async function tokensOf(call: readonly string[]): Promise<number> {
  const counts = await Promise.all(call.map(text => tokenizer.count(text)));
  return counts.reduce((sum, count) => sum + count, 0);
}

describe('calls of real text', () => {
  test.each([
    ['glosses', texts, ''],
    ['glosses with a prefix', texts, 'search_document: '],
    ['articles', articles, ''],
  ])('of %s fill 0.95 of the limit in tokens and never break it', async (_name, bought, prefix) => {
    const maxTokensPerCall = 20_000;

    const { calls } = await buy({ maxTokensPerCall }, bought, prefix);

    const fills = await Promise.all(calls.map(async call => (await tokensOf(call)) / maxTokensPerCall));
    expect(fills.length).toBeGreaterThan(4);
    expect(Math.min(...fills.slice(0, -1))).toBeGreaterThanOrEqual(0.95);
    expect(Math.max(...fills)).toBeLessThanOrEqual(1);
  });

  test('fill the limit in texts and the limit in bytes', async () => {
    const byCount = await buy({ maxTextsPerCall: 512 }, texts);
    const byBytes = await buy({ maxBytesPerCall: 50_000 }, texts);

    const counts = byCount.calls.map(call => call.length);
    expect(counts).toEqual([...Array(Math.floor(texts.length / 512)).fill(512), texts.length % 512]);
    const bytes = byBytes.calls.slice(0, -1).map(call => Buffer.byteLength(call.join('')));
    expect(Math.min(...bytes)).toBeGreaterThanOrEqual(0.95 * 50_000);
    expect(Math.max(...bytes)).toBeLessThanOrEqual(50_000);
  });

  test.each<[string, Partial<EmbeddingLimits>, number]>([
    ['all bytes fit the limit in tokens', { maxTokensPerCall: 10_000_000 }, 0],
    ['the estimate fits with its margin', { maxTokensPerCall: 400_000 }, 0],
    ['the server has a tokenizer of its own', { maxTokensPerCall: 20_000, tokenization: 'server' }, 0],
    ['the limit in tokens decides', { maxTokensPerCall: 20_000 }, 6_000],
  ])('where %s are counted by the tokenizer that often', async (_name, limits, expected) => {
    expect((await buy(limits, texts)).counted).toBe(expected);
  });
});
