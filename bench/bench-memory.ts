import { createBenchDatabase, onServer } from './apparatus/database.ts';
import { median } from './apparatus/measurement.ts';
import { startScript } from './apparatus/run-script.ts';
import { measureProcess, wordsOfRun } from './apparatus/whole-process.ts';
import { readWordnetRows, type WordnetRow } from './apparatus/wordnet-rows.ts';

const DATABASE = 'freshet_bench_memory';
const LATENCY_MS = 50;
const PARTS = ['first', 'second', 'third', 'last'] as const;

/**
 * Measures whether the memory of a run grows with the rows that it has embedded.
 * The time of the run is cut into quarters, and the memory that the process held in each of them is
 * compared: a run that keeps something of each row holds more in the last one.
 */
export async function benchMemory(
  serverUrl: string,
  options: { readonly rows: number; readonly print: (line: string) => void },
): Promise<void> {
  const url = await createBenchDatabase(serverUrl, DATABASE, await readManyRows(options.rows));
  const provider = await startScript('apparatus/serve-embeddings.ts', [String(LATENCY_MS)]);
  try {
    const { heldMb, wallMs, memoryMb } = await measureProcess(url, wordsOfRun('narrow.config.ts', url), {
      ...{ OPENAI_BASE_URL: provider.firstLine, OPENAI_API_KEY: 'bench' },
    });
    const embedded = await onServer(url, async client => {
      const { rows } = await client.query('SELECT count(*) FROM embeddings.ai_items');
      return Number(rows[0].count);
    });
    if (embedded !== options.rows) throw new Error(`embedded were ${embedded} of ${options.rows} rows`);
    options.print(
      `${embedded} rows, 384 dimensions, provider of ${LATENCY_MS} ms: ${(wallMs / 1000).toFixed(0)} s, ${memoryMb.toFixed(0)} MB at most\n`,
    );
    options.print('| quarter of the time | median, MB | most, MB |');
    options.print('|---|---|---|');
    for (const [place, part] of PARTS.entries()) {
      const cut = (quarter: number) => Math.round((heldMb.length * quarter) / PARTS.length);
      const held = heldMb.slice(cut(place), cut(place + 1));
      options.print(`| ${part} | ${median(held).toFixed(0)} | ${Math.max(...held).toFixed(0)} |`);
    }
  } finally {
    provider.process.kill();
    await onServer(serverUrl, client => client.query(`DROP DATABASE IF EXISTS ${DATABASE} WITH (FORCE)`));
  }
}

/** Reads entries of WordNet, over and over with another number: a text that was there is not bought again. */
async function readManyRows(count: number): Promise<WordnetRow[]> {
  const entries = await readWordnetRows(count);
  return Array.from({ length: count }, (_, place) => {
    const entry = entries[place % entries.length]!;
    return { ...entry, title: `${entry.title} ${Math.floor(place / entries.length)}` };
  });
}
