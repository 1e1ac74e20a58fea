import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openLocalProvider } from '../../lib/adapters/providers/local.ts';
import { createSystemClock } from '../../lib/adapters/system.ts';
import { cosineOf } from '../../lib/core/vectors.ts';
import { makeModel } from '../factories/model-definition.ts';
import { describeRealModel, MODEL_FOLDER, runPython, runtimeFolder } from './real-model.ts';

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

async function embed(weights: 'model.onnx' | 'fp32.onnx', runtime: 'native' | 'web') {
  const model = makeModel({ ...describeRealModel(weights), dimensions: 384, maxTokensPerText: 256 });
  const provider = await openLocalProvider(
    model,
    { hubUrl: '', cacheFolder: '', directory: '/', runtimeFolders: [runtimeFolder(runtime)] },
    createSystemClock(),
  );
  const vectors: Buffer[] = [];
  for (let start = 0; start < TEXTS.length; start += 64) {
    const { items } = await provider.embed({ texts: TEXTS.slice(start, start + 64), deadlineMs: 120_000 });
    for (const { index, bytes } of items) vectors[start + index] = bytes;
  }
  return vectors;
}

describe.each([
  ['fp32', 'fp32.onnx', 0.9999],
  ['int8', 'model.onnx', 0.99],
] as const)('the weights of all-MiniLM-L6-v2 as %s', (precision, weights, least) => {
  const reference: number[][] = JSON.parse(
    runPython('reference.py', { folder: MODEL_FOLDER, precision, texts: TEXTS }),
  );

  it.each(['native', 'web'] as const)(
    `give vectors within a cosine of ${least} of the reference, by the runtime %s`,
    async runtime => {
      const vectors = await embed(weights, runtime);

      const cosines = vectors.map((vector, index) =>
        cosineOf(vector, Buffer.from(new Float32Array(reference[index]!).buffer)),
      );
      expect(cosines).toHaveLength(TEXTS.length);
      expect(Math.min(...cosines)).toBeGreaterThanOrEqual(least);
    },
  );
});
