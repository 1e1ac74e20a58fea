import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openLocalProvider } from '../../lib/adapters/providers/local.ts';
import { createSystemClock } from '../../lib/adapters/system.ts';
import type { ModelDefinition } from '../../lib/core/model.ts';
import { cosineOf } from '../../lib/core/vectors.ts';
import { makeModel } from '../factories/model-definition.ts';
import { describeRealModel, MODEL_FOLDER, runPython, runtimeFolder, type Weights } from './real-model.ts';

const rows: readonly (readonly [string, string])[] = JSON.parse(
  readFileSync(join(import.meta.dirname, '../../examples/demo/ai-items.data.json'), 'utf8'),
);

const TEXTS = [
  ...rows.slice(0, 40).map(([title, summary]) => `${title}\n${summary}`),
  'a',
  'Ünïcödé, İstanbul and ΣΊΣΥΦΟΣ',
  '한국어 텍스트',
  '日本語のテキスト',
  'emoji 🌊🧾 and\ttabs\nlines',
  'for (const row of rows) { total += row.price * 1.19; }',
  `${'supercalifragilisticexpialidocious'.repeat(4)} word`,
  'The harbour was quiet. '.repeat(200),
];

/**
 * The published floats, through Hugging Face's tokenizer and a network written out in numpy.
 * Both kinds of weights are compared with it.
 */
const reference: readonly (readonly number[])[] = JSON.parse(
  runPython('reference.py', { folder: MODEL_FOLDER, texts: TEXTS }),
);

/** The smallest cosine of a text's vector and the reference's: ours have to be near for all texts. */
async function compare(
  weights: Weights,
  runtime: 'native' | 'web',
  changes: Partial<ModelDefinition> = {},
): Promise<number> {
  const model = { ...describeRealModel(weights), dimensions: 384, maxTokensPerText: 256, ...changes };
  const provider = await openLocalProvider(
    makeModel(model),
    { hubUrl: '', cacheFolder: '', directory: '/', runtimeFolders: [runtimeFolder(runtime)] },
    createSystemClock(),
  );
  const { items } = await provider.embed({ texts: TEXTS, deadlineMs: 120_000 });
  expect(items.map(({ index }) => index).sort((one, other) => one - other)).toEqual([...TEXTS.keys()]);
  return Math.min(
    ...items.map(({ index, bytes }) =>
      cosineOf(bytes, Buffer.from(new Float32Array(reference[index]!).buffer)),
    ),
  );
}

describe.each([
  ['the published floats', 'fp32.onnx', 0.9999],
  ['int8', 'model.onnx', 0.99],
] as const)('all-MiniLM-L6-v2 with weights as %s', (_, weights, least) => {
  it.each(['native', 'web'] as const)(
    `is within a cosine of ${least} of the reference in numpy, by the runtime %s`,
    async runtime => {
      expect(await compare(weights, runtime)).toBeGreaterThanOrEqual(least);
    },
  );

  it.each<[string, Partial<ModelDefinition>]>([
    ['pools by the first token', { pooling: 'cls' }],
    ['cuts long texts elsewhere', { maxTokensPerText: 200 }],
  ])('is outside of it where our side %s', async (_, changes) => {
    expect(await compare(weights, 'native', changes)).toBeLessThan(least);
  });
});

it('tells int8 from the published floats', async () => {
  expect(await compare('model.onnx', 'native')).toBeLessThan(0.9999);
});
