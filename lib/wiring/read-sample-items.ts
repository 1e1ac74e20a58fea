import { readFile } from 'node:fs/promises';
import type { SampleItem } from '../ports/sample-store.ts';

/** Reads the bundled entries of WordNet, in the order of the file. */
export async function readSampleItems(file: string): Promise<SampleItem[]> {
  const entries: [string, string, string[]][] = JSON.parse(await readFile(file, 'utf8'));
  return entries.map(([title, summary, tags]) => ({ title, summary, tags }));
}
