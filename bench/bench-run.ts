import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { createBenchDatabase, onServer } from './apparatus/database.ts';
import { median } from './apparatus/measurement.ts';
import { startScript } from './apparatus/run-script.ts';
import { measureProcess, type WholeProcess, wordsOfRun } from './apparatus/whole-process.ts';
import { readWordnetRows, type WordnetRow } from './apparatus/wordnet-rows.ts';

const contendersFolder = path.join(import.meta.dirname, 'contenders');
const DATABASE = 'freshet_bench_run';

/** Entries of WordNet in a text, which give it about 450 characters. */
const ENTRIES_PER_ROW = 6;

/** Rows of the first turn of each contender, which fills the caches of disk and compiler. */
const UNCOUNTED_ROWS = 1_000;

interface Contender {
  readonly name: string;
  /** What Node is given. */
  readonly words: (databaseUrl: string, providerUrl: string) => readonly string[];
  readonly count: string;
}

const REF: Contender = {
  name: '`ref`',
  words: () => [path.join(contendersFolder, 'sketch.ts')],
  count: 'SELECT count(*) FROM item_embeddings',
};

const OTHERS: readonly Contender[] = [
  {
    name: 'Freshet',
    words: databaseUrl => wordsOfRun('freshet.config.ts', databaseUrl),
    count: 'SELECT count(*) FROM embeddings.ai_items',
  },
  {
    name: 'drizzle with the AI SDK',
    words: () => [path.join(contendersFolder, 'orm/embed-items.mjs')],
    count: 'SELECT count(*) FROM embeddings',
  },
  {
    name: 'usual script',
    words: (databaseUrl, providerUrl) => [
      ...[path.join(contendersFolder, 'usual-script.ts'), databaseUrl, '', providerUrl],
    ],
    count: 'SELECT count(embedding) FROM usual_items',
  },
];

interface RunBenchOptions {
  readonly rows: number;
  readonly repetitions: number;
  readonly print: (line: string) => void;
}

/**
 * Compares a whole run of Freshet, from the start of its process to its end, with the sketch `ref`,
 * a peer and the usual script.
 * The contenders take turns, so that a slow minute of the machine falls on all of them. Printed are
 * medians, CPU in milliseconds per 1,000 rows.
 */
export async function benchRun(serverUrl: string, options: RunBenchOptions): Promise<void> {
  const { print, repetitions } = options;
  installPeer(print);
  const rows = await readRows(options.rows);
  const characters = rows.reduce((sum, { title, summary }) => sum + title.length + summary.length, 0);
  print(
    `${rows.length} texts of ${Math.round(characters / rows.length)} characters, 1536 dimensions, whole processes, median of ${repetitions}\n`,
  );
  print(
    '| provider latency | contender | rows/s | client CPU | database CPU | sum, ms per 1,000 | times `ref` | memory, MB |',
  );
  print('|---|---|---|---|---|---|---|---|');
  try {
    for (const latencyMs of [0, 50]) {
      const taken = await measureInTurn(serverUrl, rows, latencyMs, repetitions);
      const reference = summarise(taken.get(REF) ?? [], rows.length);
      for (const [{ name }, runs] of taken) {
        const { rowsPerSecond, client, database, sum, memoryMb } = summarise(runs, rows.length);
        const figures = [rowsPerSecond, client, database, sum].map(figure => figure.toFixed(0));
        print(
          `| ${latencyMs} ms | ${name} | ${figures.join(' | ')} | ${(sum / reference.sum).toFixed(1)} | ${memoryMb.toFixed(0)} |`,
        );
      }
    }
  } finally {
    await onServer(serverUrl, client => client.query(`DROP DATABASE IF EXISTS ${DATABASE} WITH (FORCE)`));
  }
}

async function measureInTurn(
  serverUrl: string,
  rows: readonly WordnetRow[],
  latencyMs: number,
  repetitions: number,
): Promise<ReadonlyMap<Contender, readonly WholeProcess[]>> {
  const taken = new Map<Contender, WholeProcess[]>([REF, ...OTHERS].map(contender => [contender, []]));
  const provider = await startScript('apparatus/serve-embeddings.ts', [String(latencyMs)]);
  try {
    for (const contender of taken.keys())
      await measureOne(serverUrl, rows.slice(0, UNCOUNTED_ROWS), provider.firstLine, contender);
    for (let repetition = 0; repetition < repetitions; repetition += 1)
      for (const [contender, runs] of taken)
        runs.push(await measureOne(serverUrl, rows, provider.firstLine, contender));
  } finally {
    provider.process.kill();
  }
  return taken;
}

async function measureOne(
  serverUrl: string,
  rows: readonly WordnetRow[],
  providerUrl: string,
  { name, words, count }: Contender,
): Promise<WholeProcess> {
  const url = await createBenchDatabase(serverUrl, DATABASE, rows);
  const measured = await measureProcess(url, words(url, providerUrl), {
    ...{ DATABASE_URL: url, OPENAI_BASE_URL: providerUrl, OPENAI_API_KEY: 'bench' },
  });
  const embedded = await onServer(url, async client => Number((await client.query(count)).rows[0].count));
  if (embedded !== rows.length) throw new Error(`${name} embedded ${embedded} of ${rows.length} rows`);
  return measured;
}

function summarise(runs: readonly WholeProcess[], rows: number) {
  const perThousand = (ms: (run: WholeProcess) => number) => median(runs.map(run => (ms(run) / rows) * 1000));
  return {
    rowsPerSecond: median(runs.map(({ wallMs }) => (rows / wallMs) * 1000)),
    client: perThousand(({ clientCpuMs }) => clientCpuMs),
    database: perThousand(({ databaseCpuMs }) => databaseCpuMs),
    sum: perThousand(({ clientCpuMs, databaseCpuMs }) => clientCpuMs + databaseCpuMs),
    memoryMb: median(runs.map(({ memoryMb }) => memoryMb)),
  };
}

/** Reads rows of several entries of WordNet each. */
async function readRows(count: number): Promise<WordnetRow[]> {
  const entries = await readWordnetRows(count * ENTRIES_PER_ROW);
  return Array.from({ length: Math.floor(entries.length / ENTRIES_PER_ROW) }, (_, place) => {
    const [first, ...others] = entries.slice(place * ENTRIES_PER_ROW, (place + 1) * ENTRIES_PER_ROW);
    const glosses = [first!, ...others].map(({ title, summary }) => `${title}: ${summary}`);
    return { ...first!, summary: glosses.join('\n') };
  });
}

/** Installs the packages of the peer beside it, which no other part of Freshet uses. */
function installPeer(print: (line: string) => void): void {
  const folder = path.join(contendersFolder, 'orm');
  if (existsSync(path.join(folder, 'node_modules'))) return;
  print('installing the packages of the peer');
  const { status, stderr } = spawnSync(
    'npm',
    ['install', '--no-package-lock', '--no-audit', '--no-fund', '--ignore-scripts'],
    { cwd: folder, encoding: 'utf8', stdio: ['ignore', 'ignore', 'pipe'] },
  );
  if (status !== 0) throw new Error(`npm install in ${folder} ended with ${status}: ${stderr}`);
}
