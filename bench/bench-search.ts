import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { sql } from 'kysely';
import { openPostgres } from '../lib/adapters/postgres/open-postgres.ts';
import { createHashProvider } from '../lib/adapters/providers/hash.ts';
import { createStaticProvider } from '../lib/adapters/providers/static.ts';
import type { SqlDatabase } from '../lib/adapters/sql/database.ts';
import { parseConfig } from '../lib/core/config/parse-config.ts';
import type { SearchRequest, SearchService } from '../lib/ports/search.ts';
import { openSearch } from '../lib/wiring/open-search.ts';
import { readEnvironment } from '../lib/wiring/workspace.ts';
import { createBenchDatabase, onServer } from './apparatus/database.ts';
import { readWordnetRows, type WordnetRow } from './apparatus/wordnet-rows.ts';
import { measureRanking, readJudgedRows, readJudgements } from './meaning/measure-ranking.ts';

const root = path.resolve(import.meta.dirname, '..');
const DATABASE = 'freshet_bench_search';
const QUERIES = 200;
const LIMIT = 10;

type Print = (line: string) => void;

/** Measures how well and how fast rows are searched. */
export async function benchSearch(
  serverUrl: string,
  options: { readonly rows: number; readonly print: Print },
): Promise<void> {
  const { print } = options;
  print('| judged set | model | mode | queries | nDCG@10 |');
  print('|---|---|---|---:|---:|');
  for (const model of ['hash', 'static'])
    await withSearch(serverUrl, { rows: readJudgedRows(), model }, async ({ search }) => {
      for (const [name, judged] of Object.entries(readJudgements()))
        for (const [mode, asked] of Object.entries(readModes())) {
          const value = await measureRanking(judged, async query => {
            const { hits } = await search({ ...asked, query, limit: LIMIT });
            return hits.map(({ columns }) => String(columns.title));
          });
          print(`| ${name} | \`${model}\` | ${mode} | ${judged.length} | ${value.toFixed(3)} |`);
        }
    });
  print('');
  await withSearch(serverUrl, { rows: await readWordnetRows(options.rows), model: 'hash' }, async opened => {
    print(
      `${options.rows} rows of 384 dimensions, ${QUERIES} queries one after the other, ${LIMIT} hits each`,
    );
    print('| search | p50 ms | p95 ms | p99 ms | queries/s | bare SQL p50 ms | more at the median, ms |');
    print('|---|---:|---:|---:|---:|---:|---:|');
    await measureSpeed(opened, 'exact', print);
    const { rows } = await sql<{ space: number }>`
      SELECT space_id AS space FROM freshet.spaces WHERE status = 'active'`.execute(opened.db.kysely);
    const table = sql.id('freshet', `vectors_${rows[0]!.space}`);
    await sql`CREATE INDEX ON ${table} USING hnsw (embedding vector_cosine_ops)`.execute(opened.db.kysely);
    await measureSpeed(opened, 'HNSW', print);
  });
}

/** The ways of searching; a reranker takes part where `RERANK_URL` names a server of TEI's dialect. */
function readModes(): Record<string, Pick<SearchRequest, 'mode' | 'rerank'>> {
  return {
    semantic: { mode: 'semantic' },
    keyword: { mode: 'keyword' },
    hybrid: { mode: 'hybrid' },
    ...(process.env.RERANK_URL && {
      'hybrid, reranked': { mode: 'hybrid' as const, rerank: { model: 'server' } },
    }),
  };
}

interface Opened {
  readonly db: SqlDatabase;
  readonly search: (asked: Omit<SearchRequest, 'source'>) => ReturnType<SearchService['search']>;
}

const filter = { type: 'eq', key: 'language', value: 'en' };

/** Embeds the rows by a run of the command line, and opens their search in this process. */
async function withSearch(
  serverUrl: string,
  { rows, model }: { readonly rows: readonly WordnetRow[]; readonly model: string },
  use: (opened: Opened) => Promise<void>,
): Promise<void> {
  const folder = mkdtempSync(path.join(tmpdir(), 'freshet-search-'));
  const written = {
    sources: [
      {
        ...{
          name: 'ai_items',
          table: 'public.ai_items',
          text: { columns: ['title', 'summary', 'tags'] },
          model,
        },
        search: { columns: ['title'], filters: ['language'], keywords: { language: 'english' } },
      },
    ],
    ...(process.env.RERANK_URL && { rerankers: { server: { dialect: 'tei', url: process.env.RERANK_URL } } }),
  };
  writeFileSync(path.join(folder, 'freshet.config.mjs'), `export default ${JSON.stringify(written)};\n`);
  const url = await createBenchDatabase(serverUrl, DATABASE, rows);
  await onServer(url, client =>
    client.query(`ALTER TABLE public.ai_items ADD COLUMN language text;
      UPDATE public.ai_items SET language = CASE WHEN id % 10 = 0 THEN 'de' ELSE 'en' END`),
  );
  const db = await openPostgres({ connectionString: url, maxConnections: 4 });
  try {
    run(folder, url);
    await sql`VACUUM ANALYZE`.execute(db.kysely);
    const config = parseConfig(written);
    const definition = config.models[model]!;
    const provider = model === 'hash' ? createHashProvider(definition) : createStaticProvider(definition);
    const service = openSearch(
      { database: db, config, environment: readEnvironment({}) },
      {
        ...{ cursorKey: Buffer.from('of no other process'), coverageWaitMs: 0 },
        async embedQuery(_, text) {
          const { items } = await provider.embed({ texts: [text], role: 'query', deadlineMs: 10_000 });
          return items[0]!.bytes;
        },
      },
    );
    const never = new AbortController().signal;
    await use({
      db,
      search: asked => service.search({ source: 'ai_items', ...asked }, { kind: 'operator' }, never),
    });
  } finally {
    rmSync(folder, { recursive: true });
    await db.close();
    await onServer(serverUrl, client => client.query(`DROP DATABASE IF EXISTS ${DATABASE} WITH (FORCE)`));
  }
}

function run(folder: string, url: string): void {
  const { status, stderr } = spawnSync(process.execPath, [path.join(root, 'bin/freshet.ts'), 'run'], {
    ...{ cwd: folder, encoding: 'utf8', stdio: ['ignore', 'ignore', 'pipe'] },
    env: { PATH: process.env.PATH, DATABASE_URL: url },
  });
  if (status !== 0) throw new Error(`freshet run ended with ${status}: ${stderr}`);
}

/** Searches with and without a filter, each beside the statement that somebody would write. */
async function measureSpeed({ db, search }: Opened, way: string, print: Print): Promise<void> {
  const { rows } = await sql<{ vector: string }>`
    SELECT embedding::text AS vector FROM embeddings.ai_items ORDER BY md5(id::text) LIMIT ${QUERIES}`.execute(
    db.kysely,
  );
  for (const [name, asked, where] of [
    ['', {}, 'true'],
    [', filter of 90 %', { filter }, "s.language = 'en'"],
  ] as const) {
    const own: number[] = [];
    const bare: number[] = [];
    let exact = true;
    // One after the other, so that what else the machine does falls on both.
    for (const { vector } of rows) {
      const startedAt = performance.now();
      const answer = await search({
        ...{ ...asked, vector: JSON.parse(vector) as number[], limit: LIMIT, mode: 'semantic' },
      });
      own.push(performance.now() - startedAt);
      exact &&= answer.exact;
      bare.push(await timeBare(db, vector, where));
    }
    const seconds = own.reduce((sum, each) => sum + each, 0) / 1000;
    const [p50, p95, p99, bareP50] = [at(own, 0.5), at(own, 0.95), at(own, 0.99), at(bare, 0.5)];
    const cells = [p50, p95, p99, own.length / seconds, bareP50, p50 - bareP50].map(each => each.toFixed(1));
    print(`| ${way}${name} (exact: ${exact}) | ${cells.join(' | ')} |`);
  }
}

async function timeBare(db: SqlDatabase, vector: string, where: string): Promise<number> {
  const startedAt = performance.now();
  await db.kysely.transaction().execute(async transaction => {
    await sql`SELECT set_config('hnsw.ef_search', '200', true), set_config('hnsw.iterative_scan', 'strict_order', true),
      set_config('jit', 'off', true)`.execute(transaction);
    await sql`SELECT s.id, s.title, e.embedding <=> ${vector}::vector AS distance
      FROM public.ai_items AS s JOIN embeddings.ai_items AS e USING (id)
     WHERE ${sql.raw(where)} ORDER BY e.embedding <=> ${vector}::vector LIMIT ${LIMIT}`.execute(transaction);
  });
  return performance.now() - startedAt;
}

function at(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]!;
}
