import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createBenchDatabase, onServer } from './apparatus/database.ts';
import { readWordnetRows } from './apparatus/wordnet-rows.ts';

const root = path.resolve(import.meta.dirname, '..');
const DATABASE = 'freshet_bench_start';

const CONFIG = `export default {
  sources: [{ name: 'ai_items', table: 'public.ai_items', text: { columns: ['title', 'summary'] }, model: 'hash' }],
};
`;

/** Prints the CPU that a process used, when it ends; what the process itself prints goes nowhere. */
const COUNTING = `process.on('exit', () => {
  const { user, system } = process.cpuUsage();
  process.getBuiltinModule('node:fs').writeSync(3, String((user + system) / 1e6));
});`;

/** What is started, and the seconds of CPU that it may take on a machine with nothing else to do. */
const STARTS = [
  { words: ['help'], ceiling: 0.35 },
  { words: ['status'], ceiling: 0.35 },
  { words: ['run'], ceiling: 0.35 },
] as const;

/** Measures the CPU of whole commands on a table that is embedded already, npm apart. */
export async function benchStart(
  serverUrl: string,
  options: { rows: number; repetitions: number; print: (line: string) => void },
): Promise<void> {
  const folder = mkdtempSync(path.join(tmpdir(), 'freshet-start-'));
  writeFileSync(path.join(folder, 'freshet.config.mjs'), CONFIG);
  try {
    const url = await createBenchDatabase(serverUrl, DATABASE, await readWordnetRows(options.rows));
    start(folder, url, ['run', '--concurrency', '1']);
    options.print(`${options.rows} rows, seconds of CPU, median of ${options.repetitions}`);
    for (const { words, ceiling } of STARTS) {
      const seconds = Array.from({ length: options.repetitions }, () => start(folder, url, words));
      const median = seconds.sort((left, right) => left - right)[Math.floor(seconds.length / 2)]!;
      options.print(`freshet ${words.join(' ').padEnd(8)} ${median.toFixed(2)} (at most ${ceiling})`);
    }
  } finally {
    rmSync(folder, { recursive: true });
    await onServer(serverUrl, client => client.query(`DROP DATABASE IF EXISTS ${DATABASE} WITH (FORCE)`));
  }
}

function start(folder: string, url: string, words: readonly string[]): number {
  const counting = `data:text/javascript,${encodeURIComponent(COUNTING)}`;
  const preloads = ['--require', path.join(root, 'bin/compile-cache.cjs'), '--import', counting];
  const { status, stderr, output } = spawnSync(
    process.execPath,
    [...preloads, path.join(root, 'bin/freshet.ts'), ...words],
    {
      cwd: folder,
      encoding: 'utf8',
      stdio: ['ignore', 'ignore', 'pipe', 'pipe'],
      env: { PATH: process.env.PATH, DATABASE_URL: url },
    },
  );
  if (status !== 0) throw new Error(`freshet ${words.join(' ')} ended with ${status}: ${stderr}`);
  return Number(output[3]);
}
