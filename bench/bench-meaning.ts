import { createHashProvider } from '../lib/adapters/providers/hash.ts';
import { openLocalProvider } from '../lib/adapters/providers/local.ts';
import { createStaticProvider } from '../lib/adapters/providers/static.ts';
import { createSystemClock } from '../lib/adapters/system.ts';
import { parseConfig } from '../lib/core/config/parse-config.ts';
import type { EmbeddingProvider } from '../lib/ports/provider.ts';
import { describeRealModel, runtimeFolder } from '../test/local-model/real-model.ts';
import { type Meaning, measureMeaning, readDictionary, readQuestions } from './meaning/measure-meaning.ts';

/**
 * Compares the models that need nothing, and a real one where there is one: how well they find what is meant, and what
 * it costs.
 */
export async function benchMeaning({ print }: { readonly print: (line: string) => void }): Promise<void> {
  const { models } = parseConfig({
    sources: [{ name: 'items', table: 'items', text: { columns: ['title'] }, model: ['static', 'hash'] }],
  });
  const contenders: Record<string, () => EmbeddingProvider | Promise<EmbeddingProvider>> = {
    hash: () => createHashProvider(models.hash!),
    static: () => createStaticProvider(models.static!),
  };
  if (process.env.LOCAL_MODEL !== undefined) contenders.local = openRealModel;
  const tasks = { 'title asks for its definition': readDictionary(), 'forty questions': readQuestions() };
  print(
    '| task | model | queries | hit@1 | hit@5 | hit@10 | MRR | CPU ms per 1,000 texts | longest pause, ms |',
  );
  print('|---|---|---:|---:|---:|---:|---:|---:|---:|');
  for (const [name, task] of Object.entries(tasks))
    for (const [model, open] of Object.entries(contenders))
      print(formatRow(name, model, await measureMeaning(await open(), task)));
}

/** all-MiniLM-L6-v2 as int8, which .ci/local-model puts into the folder LOCAL_MODEL. */
export function openRealModel(): Promise<EmbeddingProvider> {
  const { models } = parseConfig({
    models: { minilm: describeRealModel() },
    sources: [{ name: 'items', table: 'items', text: { columns: ['title'] }, model: 'minilm' }],
  });
  const places = { hubUrl: '', cacheFolder: '', directory: '/', runtimeFolders: [runtimeFolder('native')] };
  return openLocalProvider(models.minilm!, places, createSystemClock());
}

function formatRow(task: string, model: string, meaning: Meaning): string {
  const percent = (share: number) => `${(100 * share).toFixed(0)} %`;
  const { queries, hit1, hit5, hit10, reciprocalRank, cpuMsPerThousand, longestPauseMs } = meaning;
  return (
    `| ${task} | \`${model}\` | ${queries} | ${percent(hit1)} | ${percent(hit5)} | ${percent(hit10)} | ` +
    `${reciprocalRank.toFixed(2)} | ${cpuMsPerThousand.toFixed(0)} | ${longestPauseMs.toFixed(0)} |`
  );
}
