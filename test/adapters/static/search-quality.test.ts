import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { measureMeaning, readDictionary, readQuestions } from '../../../bench/meaning/measure-meaning.ts';
import { createStaticProvider } from '../../../lib/adapters/providers/static.ts';
import { PROVIDERS } from '../../../lib/core/providers.ts';
import { makeModel } from '../../factories/model-definition.ts';

const { modelId, revision, dimensions } = PROVIDERS.static.onlyModel!;
const provider = createStaticProvider(makeModel({ provider: 'static', modelId, revision, dimensions }));

test('a title finds its definition among the first ten of a thousand for 60 of 100 titles', async () => {
  const { queries, hit10 } = await measureMeaning(provider, readDictionary());

  expect(queries).toBeGreaterThan(300);
  expect(hit10).toBeGreaterThanOrEqual(0.6);
});

test('a question finds a right row among the first five for three of four questions', async () => {
  const { queries, hit5 } = await measureMeaning(provider, readQuestions());

  expect(queries).toBe(40);
  expect(hit5).toBeGreaterThanOrEqual(0.75);
});

test('every title that answers a question is one of the demo', () => {
  const folder = join(import.meta.dirname, '../../..');
  const read = (file: string) => JSON.parse(readFileSync(join(folder, file), 'utf8'));
  const titles = new Set(read('examples/demo/ai-items.data.json').map(([title]: [string]) => title));
  const named = read('bench/meaning/questions.data.json').flatMap(([, right]: [string, string[]]) => right);

  expect(named.filter((title: string) => !titles.has(title))).toEqual([]);
});
