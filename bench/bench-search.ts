import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { sql } from 'kysely';
import { openPostgres } from '../lib/adapters/postgres/open-postgres.ts';
import { createHashProvider } from '../lib/adapters/providers/hash.ts';
import { createStaticProvider } from '../lib/adapters/providers/static.ts';
import type { SqlDatabase } from '../lib/adapters/sql/database.ts';
import { parseConfig } from '../lib/core/config/parse-config.ts';
import type { PipelineConfig } from '../lib/core/config/pipeline-config.ts';
import type { EmbeddingProvider } from '../lib/ports/provider.ts';
import type { SearchRequest, SearchService } from '../lib/ports/search.ts';
import { openSearch } from '../lib/wiring/open-search.ts';
import { readEnvironment } from '../lib/wiring/workspace.ts';
import { describeRealModel, runtimeFolder } from '../test/local-model/real-model.ts';
import { createBenchDatabase, onServer } from './apparatus/database.ts';
import { measureRecall, readFarthest } from './apparatus/measure-recall.ts';
import { timeStatements } from './apparatus/time-statements.ts';
import { readWordnetRows, type WordnetRow } from './apparatus/wordnet-rows.ts';
import { openRealModel } from './bench-meaning.ts';
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
  for (const model of ['hash', 'static', ...(process.env.LOCAL_MODEL === undefined ? [] : ['local'])])
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
  const rows = await readWordnetRows(options.rows);
  for (const model of ['hash', 'static'])
    await withSearch(serverUrl, { rows, model }, async opened => {
      print(`${rows.length} rows, \`${model}\`, ${QUERIES} queries, ${LIMIT} hits each`);
      print('| search | at once | p50 ms | p95 ms | p99 ms | bare SQL p50 ms | more, median of pairs, ms |');
      print('|---|---:|---:|---:|---:|---:|---:|');
      await measureSpeed(opened, 'exact', print);
      await buildIndex(opened);
      await measureSpeed(opened, 'HNSW', print);
      await measureScopes(opened, print);
    });
}

/** Builds the index as \`doctor\` says it. */
async function buildIndex({ db, table }: Opened): Promise<void> {
  await db.kysely.connection().execute(async connection => {
    await sql`SET maintenance_work_mem = '512MB'`.execute(connection);
    await sql`CREATE INDEX ON ${sql.raw(table)} USING hnsw (embedding vector_cosine_ops)
      WITH (ef_construction = 200)`.execute(connection);
    await sql`RESET maintenance_work_mem`.execute(connection);
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
  /** Of the vectors, quoted. */
  readonly table: string;
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
        search: { columns: ['title'], filters: ['language', 'rank'], keywords: { language: 'english' } },
      },
    ],
    ...(model === 'local' && { models: { local: describeRealModel() } }),
    ...(process.env.RERANK_URL && { rerankers: { server: { dialect: 'tei', url: process.env.RERANK_URL } } }),
  };
  writeFileSync(path.join(folder, 'freshet.config.mjs'), `export default ${JSON.stringify(written)};\n`);
  if (model === 'local')
    symlinkSync(path.join(runtimeFolder('native'), 'node_modules'), path.join(folder, 'node_modules'));
  const url = await createBenchDatabase(serverUrl, DATABASE, rows);
  await onServer(url, client =>
    client.query(`ALTER TABLE public.ai_items ADD COLUMN language text, ADD COLUMN rank integer;
      UPDATE public.ai_items SET language = CASE WHEN id % 10 = 0 THEN 'de' ELSE 'en' END,
        rank = id * 7919 % 1000`),
  );
  const db = await openPostgres({ connectionString: url, maxConnections: 4 });
  try {
    run(folder, url);
    await sql`VACUUM ANALYZE`.execute(db.kysely);
    const config = parseConfig(written);
    const provider = await openModel(model, config);
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
    const { rows: spaces } = await sql<{ space: number }>`
      SELECT space_id AS space FROM freshet.spaces WHERE status = 'active'`.execute(db.kysely);
    await use({
      ...{ db, table: `freshet.vectors_${spaces[0]!.space}` },
      search: asked => service.search({ source: 'ai_items', ...asked }, { kind: 'operator' }, never),
    });
  } finally {
    rmSync(folder, { recursive: true });
    await db.close();
    await onServer(serverUrl, client => client.query(`DROP DATABASE IF EXISTS ${DATABASE} WITH (FORCE)`));
  }
}

async function openModel(name: string, { models }: PipelineConfig): Promise<EmbeddingProvider> {
  if (name === 'local') return openRealModel();
  return name === 'hash' ? createHashProvider(models.hash!) : createStaticProvider(models.static!);
}

function run(folder: string, url: string): void {
  const { status, stderr } = spawnSync(process.execPath, [path.join(root, 'bin/freshet.ts'), 'run'], {
    ...{ cwd: folder, encoding: 'utf8', stdio: ['ignore', 'ignore', 'pipe'] },
    env: { PATH: process.env.PATH, DATABASE_URL: url },
  });
  if (status !== 0) throw new Error(`freshet run ended with ${status}: ${stderr}`);
}

const readVectors = async ({ db }: Opened, count: number): Promise<readonly string[]> => {
  const { rows } = await sql<{ vector: string }>`
    SELECT embedding::text AS vector FROM embeddings.ai_items ORDER BY md5(id::text) LIMIT ${count}`.execute(
    db.kysely,
  );
  return rows.map(({ vector }) => vector);
};

/** Searches with and without a filter, each beside the statement that somebody would write. */
async function measureSpeed(opened: Opened, way: string, print: Print): Promise<void> {
  const vectors = await readVectors(opened, QUERIES);
  for (const [name, asked, where, candidates] of [
    ['', {}, 'true', 400],
    [', filter of 90 %', { filter }, "s.language = 'en'", 600],
  ] as const)
    for (const atOnce of [1, 2]) {
      const [own, bare, more]: number[][] = [[], [], []];
      let exact = true;
      const readTimes = timeStatements(50);
      const askBoth = async (vector: string, place: number) => {
        // Whoever comes second finds the pages in memory: they take turns.
        const early = place % 2 === 0 ? await timeBare(opened.db, vector, where, candidates) : undefined;
        const numbers = JSON.parse(vector) as number[];
        const startedAt = performance.now();
        const answer = await opened.search({ ...asked, vector: numbers, limit: LIMIT, mode: 'semantic' });
        const took = performance.now() - startedAt;
        const beside = early ?? (await timeBare(opened.db, vector, where, candidates));
        exact &&= answer.exact;
        own!.push(took);
        bare!.push(beside);
        more!.push(took - beside);
      };
      const waiting = [...vectors.entries()];
      const ask = async () => {
        for (let next = waiting.pop(); next !== undefined; next = waiting.pop())
          await askBoth(next[1], next[0]);
      };
      await Promise.all(Array.from({ length: atOnce }, ask));
      const cells = [at(own!, 0.5), at(own!, 0.95), at(own!, 0.99), at(bare!, 0.5), at(more!, 0.5)];
      print(
        `| ${way}${name} (exact: ${exact}) | ${atOnce} | ${cells.map(each => each.toFixed(1)).join(' | ')} |`,
      );
      const parts = [...readTimes()].map(([text, times]) => `${text}: ${at(times, 0.5).toFixed(2)}`);
      if (atOnce === 1 && name === '') process.stderr.write(`${parts.join('\n')}\n`);
    }
}

async function timeBare(db: SqlDatabase, vector: string, where: string, candidates: number): Promise<number> {
  const startedAt = performance.now();
  await db.kysely.transaction().execute(async transaction => {
    await sql`SELECT set_config('hnsw.ef_search', ${String(candidates)}, true),
      set_config('hnsw.iterative_scan', 'strict_order', true), set_config('jit', 'off', true)`.execute(
      transaction,
    );
    await sql`SELECT s.id, s.title, e.embedding <=> ${vector}::vector AS distance
      FROM public.ai_items AS s JOIN embeddings.ai_items AS e USING (id)
     WHERE ${sql.raw(where)} ORDER BY e.embedding <=> ${vector}::vector LIMIT ${LIMIT}`.execute(transaction);
  });
  return performance.now() - startedAt;
}

const RECALL_QUERIES = 40;

/** Counts what the walk of the index finds of what comparing every row does, by who is searched. */
async function measureScopes(opened: Opened, print: Print): Promise<void> {
  const { db, search, table } = opened;
  const setting = {
    ...{ kysely: db.kysely as never, vectors: await readVectors(opened, RECALL_QUERIES), limit: LIMIT },
    from: `FROM public.ai_items AS s JOIN ${table} AS v ON v.item_id = s.id`,
  };
  print(`| selectivity | recall@${LIMIT} | exact, of ${RECALL_QUERIES} | median ms |`);
  print('|---|---:|---:|---:|');
  for (const share of [1, 0.5, 0.1, 0.01, 0.001]) {
    const rank = share * 1000;
    const truth = await readFarthest(setting, `s.rank < ${rank}`);
    const asked = share === 1 ? {} : { filter: { type: 'lt', key: 'rank', value: rank } };
    const { recall, exact, medianMs } = await measureRecall(setting, truth, vector =>
      search({ ...asked, vector, limit: LIMIT, mode: 'semantic' }),
    );
    print(`| ${share} | ${recall.toFixed(4)} | ${exact} | ${medianMs.toFixed(0)} |`);
  }
}

function at(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]!;
}
