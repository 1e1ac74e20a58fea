import { describe, expect, test } from 'vitest';
import { goldenTexts } from '../../lib/core/golden-texts.ts';
import { warmUpModel } from '../../lib/pipeline/serve/warm-up.ts';
import type { GoldenStore } from '../../lib/ports/report-store.ts';
import { createScriptedProvider, DIMENSIONS, failWith, vectorOf } from '../doubles/scripted-provider.ts';
import { createVirtualClock } from '../doubles/virtual-clock.ts';
import { makeModel } from '../factories/model-definition.ts';

const model = makeModel({ dimensions: DIMENSIONS, documentPrefix: 'row: ', maxTokensPerText: 200 });
/** Counts and cuts by words, which is as good as any rule here. */
const tokenizer = {
  count: async (text: string) => text.split(' ').length,
  truncate: async (text: string, tokens: number) => ({
    text: text.split(' ').slice(0, tokens).join(' '),
    tokens,
  }),
};

function recorded(vectors: readonly Buffer[] | undefined): GoldenStore {
  const record = vectors && { vectors, recordedAt: '2026-01-01 00:00:00', ageSeconds: 0 };
  return { find: async () => record, insert: async () => {}, confirm: async () => {} };
}

async function warmUp(provider = createScriptedProvider(), golden = recorded(undefined), tries = 1) {
  const end = new AbortController();
  const found: (string | undefined)[] = [];
  await warmUpModel({ provider, tokenizer, golden, clock: createVirtualClock() }, model, 1000, {
    signal: end.signal,
    found: code => {
      found.push(code);
      if (found.length === tries) end.abort();
    },
  });
  return { found, provider };
}

describe('the warm-up of a model', () => {
  test('embeds a text of each length class that the model takes, as rows are embedded', async () => {
    const { found, provider } = await warmUp();

    const lengths = provider.requests.slice(0, 3).map(({ texts }) => texts[0]?.split(' ').length ?? 0);
    expect(found).toEqual([undefined]);
    expect(lengths).toEqual([3, 17, 65]);
    expect(provider.requests.every(({ texts }) => texts.every(text => text.startsWith('row: ')))).toBe(true);
  });

  test('finds the recorded vectors again', async () => {
    const texts = goldenTexts(200).map(text => `row: ${text.split(' ').slice(0, 198).join(' ')}`);

    expect((await warmUp(undefined, recorded(texts.map(vectorOf)))).found).toEqual([undefined]);
  });

  test('never ends well where the vectors are others than the recorded ones', async () => {
    const others = goldenTexts(200).map((_, position) => vectorOf(`other ${position}`));

    const { found } = await warmUp(undefined, recorded(others), 3);

    expect(found).toEqual(['golden_mismatch', 'golden_mismatch', 'golden_mismatch']);
  });

  test('goes on until a server that starts has started', async () => {
    const provider = createScriptedProvider();
    const { script } = provider;
    provider.script = (request, call) => (call < 3 ? failWith('throttled', 'cold') : script(request, call));

    expect((await warmUp(provider, undefined, 3)).found).toEqual(['cold', 'cold', undefined]);
  });
});
