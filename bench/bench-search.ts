import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { sql } from 'kysely';
import { openPostgres } from '../lib/adapters/postgres/open-postgres.ts';
import { createHashProvider } from '../lib/adapters/providers/hash.ts';
import { createStaticProvider } from '../lib/adapters/providers/static.ts';
import { parseConfig } from '../lib/core/config/parse-config.ts';
import type { PipelineConfig } from '../lib/core/config/pipeline-config.ts';
import type { EmbeddingProvider } from '../lib/ports/provider.ts';
import type { SearchRequest } from '../lib/ports/search.ts';
import { openSearch } from '../lib/wiring/open-search.ts';
import { readEnvironment } from '../lib/wiring/workspace.ts';
import { describeRealModel, runtimeFolder } from '../test/local-model/real-model.ts';
import { createBenchDatabase, onServer } from './apparatus/database.ts';
import { measureRecall, readFarthest } from './apparatus/measure-recall.ts';
import { measureSpeed, readVectors, type SearchedRows } from './apparatus/search-speed.ts';
import { serveLateInteraction } from './apparatus/serve-late-interaction.ts';
import { readWordnetRows, type WordnetRow } from './apparatus/wordnet-rows.ts';
import { openRealModel } from './bench-meaning.ts';
import { measureRanking, readJudgedRows, readJudgements } from './meaning/measure-ranking.ts';

const root = path.resolve(import.meta.dirname, '..');
const DATABASE = 'freshet_bench_search';
const LIMIT = 10;

type Print = (line: string) => void;

/** Measures how well and how fast rows are searched. */
export async function benchSearch(
  serverUrl: string,
  options: { readonly rows: number; readonly print: Print },
): Promise<void> {
  const { print } = options;
  const own = process.env.LOCAL_MODEL === undefined ? undefined : await serveLateInteraction();
  await measureModes(serverUrl, process.env.RERANK_URL ?? own?.url, print).finally(() => own?.close());
  if (own !== undefined && process.env.RERANK_URL === undefined)
    print(
      '\nReranked: by late interaction with all-MiniLM-L6-v2 (bench/apparatus), which is no cross-encoder.',
    );
  print('');
  const rows = await readWordnetRows(options.rows);
  for (const model of ['hash', 'static'])
    await withSearch(serverUrl, { rows, model }, async opened => {
      print(`${rows.length} rows, \`${model}\``);
      await measureSpeed(opened, 'exact', 50, print);
      await buildIndex(opened);
      await measureSpeed(opened, 'HNSW', 200, print);
      await measureScopes(opened, print);
    });
}

/** Measures nDCG@10 of each way of searching on the judged sets. */
async function measureModes(serverUrl: string, rerankUrl: string | undefined, print: Print): Promise<void> {
  print('| judged set | model | mode | queries | nDCG@10 |');
  print('|---|---|---|---:|---:|');
  const rows = readJudgedRows();
  for (const model of ['hash', 'static', ...(process.env.LOCAL_MODEL === undefined ? [] : ['local'])])
    await withSearch(serverUrl, { rows, model, rerankUrl }, async ({ search }) => {
      for (const [name, judged] of Object.entries(readJudgements()))
        for (const [mode, asked] of Object.entries(readModes(rerankUrl))) {
          const value = await measureRanking(judged, async query => {
            const { hits, degraded } = await search({ ...asked, query, limit: LIMIT });
            if (degraded.length > 0) throw new Error(`a search went without ${degraded.join()}`);
            return hits.map(({ columns }) => String(columns.title));
          });
          print(`| ${name} | \`${model}\` | ${mode} | ${judged.length} | ${value.toFixed(3)} |`);
        }
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

/**
 * The ways of searching.
 * A reranker takes part where `RERANK_URL` names a server of TEI's dialect, else one that is made
 * of the sentence model where `LOCAL_MODEL` names its folder.
 */
function readModes(rerankUrl: string | undefined): Record<string, Pick<SearchRequest, 'mode' | 'rerank'>> {
  const rerank = { model: 'server' };
  return {
    semantic: { mode: 'semantic' },
    keyword: { mode: 'keyword' },
    hybrid: { mode: 'hybrid' },
    ...(rerankUrl !== undefined && {
      'semantic, reranked': { mode: 'semantic' as const, rerank },
      'hybrid, reranked': { mode: 'hybrid' as const, rerank },
    }),
  };
}

interface Opened extends SearchedRows {
  /** Of the vectors, quoted. */
  readonly table: string;
}

interface BenchedSource {
  readonly rows: readonly WordnetRow[];
  readonly model: string;
  readonly rerankUrl?: string | undefined;
}

/** Embeds the rows by a run of the command line, and opens their search in this process. */
async function withSearch(
  serverUrl: string,
  { rows, model, rerankUrl }: BenchedSource,
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
    ...(rerankUrl !== undefined && {
      rerankers: { server: { dialect: 'tei', url: rerankUrl, timeoutMs: 60_000 } },
    }),
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
