import { randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import { openPostgres } from '../lib/adapters/postgres/open-postgres.ts';
import type { SqlDatabase } from '../lib/adapters/sql/database.ts';
import { createDetectionStore } from '../lib/adapters/sql/detection-store.ts';
import { ensureSpaces } from '../lib/adapters/sql/ensure-spaces.ts';
import { migrate } from '../lib/adapters/sql/migrations/migrate.ts';
import { openSpaces } from '../lib/adapters/sql/open-spaces.ts';
import { parseConfig } from '../lib/core/config/parse-config.ts';
import type { Space } from '../lib/core/model.ts';
import type { DetectionStore } from '../lib/ports/detection-store.ts';
import { createBenchDatabase } from './apparatus/database.ts';
import { median } from './apparatus/measurement.ts';

const STALE_ROWS = 100;
const SLICE_ROWS = 200_000;
const REPETITIONS = 15;

interface DetectBenchOptions {
  readonly rowCounts: readonly number[];
  readonly print: (line: string) => void;
}

/**
 * Measures detection of 100 edited rows in tables of N rows, spread over the key.
 * Measured are the incremental scan with its horizon, one reconcile slice, and a whole reconcile
 * pass. Vectors have 3 dimensions: on the pages that detection reads, a vector of 1536 is a pointer
 * of about the same size.
 */
export async function benchDetect(serverUrl: string, options: DetectBenchOptions): Promise<void> {
  options.print(`${STALE_ROWS} stale rows, median of ${REPETITIONS}; pages of 8 KB\n`);
  options.print(
    '| rows | incremental | pages | slice of 200,000 keys | pages | whole pass | per million rows |',
  );
  options.print('|---|---|---|---|---|---|---|');
  for (const rowCount of options.rowCounts) {
    const url = await createBenchDatabase(serverUrl, 'freshet_bench', []);
    const database = await openPostgres({ connectionString: url, maxConnections: 1 });
    try {
      const space = await fill(database, rowCount);
      options.print(await measureDetection(database, space, rowCount));
    } finally {
      await database.close();
    }
  }
}

async function fill(database: SqlDatabase, rowCount: number): Promise<Space> {
  const { kysely } = database;
  await sql`INSERT INTO public.ai_items (id, title, updated_at)
            SELECT n, 'title ' || n, now() - interval '1 day' FROM generate_series(1, ${rowCount}::int) AS n`.execute(
    kysely,
  );
  const config = parseConfig({
    models: { tiny: { provider: 'hash', modelId: 'tiny', revision: '1', dimensions: 3 } },
    sources: [
      {
        name: 'ai_items',
        table: 'public.ai_items',
        updatedAt: 'updated_at',
        text: { columns: ['title'] },
        model: 'tiny',
      },
    ],
  });
  await migrate(database);
  await ensureSpaces(database, config);
  const [space] = await (await openSpaces(database, config)).list();
  if (!space) throw new Error('the bench has no space');
  await sql`INSERT INTO ${sql.id('freshet', space.vectorTable)}
              (item_id, outcome, content_hash, source_version, source_xid, read_at, embedding, embedded_at)
            SELECT id, 'embedded', decode(lpad(to_hex(id), 64, '0'), 'hex'), updated_at, xmin, now(), '[1,0,0]', now()
              FROM public.ai_items`.execute(kysely);
  await sql`UPDATE public.ai_items SET updated_at = now() WHERE id % ${Math.floor(rowCount / STALE_ROWS)}::int = 0`.execute(
    kysely,
  );
  await sql`VACUUM ANALYZE`.execute(kysely);
  // What the server has yet to write of these rows would be written while looks are timed.
  await sql`CHECKPOINT`.execute(kysely);
  return space;
}

async function measureDetection(database: SqlDatabase, space: Space, rowCount: number): Promise<string> {
  const store = createDetectionStore(database);
  const forget = () => sql`DELETE FROM freshet.leases`.execute(database.kysely);
  const incremental = await repeat(database, forget, async () => {
    const watermark = await store.readHorizon(space);
    const { rows } = await store.leaseChangedRows(space, { ...newLease('fresh'), watermark });
    return rows.length;
  });
  const sliceEnd = await store.findSliceEnd(space, null, SLICE_ROWS);
  const slice = await repeat(database, forget, async () => {
    const { rows } = await store.leaseStaleSlice(space, {
      ...newLease('bulk'),
      after: null,
      through: sliceEnd,
    });
    return rows.length;
  });
  const pass = await repeat(database, forget, () => walk(store, space));
  if (incremental.found !== STALE_ROWS || pass.found !== STALE_ROWS) {
    throw new Error(`found ${incremental.found} and ${pass.found} of ${STALE_ROWS} stale rows`);
  }
  return `| ${rowCount} | ${incremental.ms.toFixed(1)} ms | ${incremental.pages} | ${slice.ms.toFixed(0)} ms | ${slice.pages} | ${(pass.ms / 1000).toFixed(2)} s | ${((pass.ms / rowCount) * 1000).toFixed(2)} s |`;
}

async function walk(store: DetectionStore, space: Space): Promise<number> {
  let found = 0;
  let after: string | null = null;
  do {
    const through: string | null = await store.findSliceEnd(space, after, SLICE_ROWS);
    const { rows } = await store.leaseStaleSlice(space, { ...newLease('bulk'), after, through });
    found += rows.length;
    after = through;
  } while (after !== null);
  return found;
}

const newLease = (lane: 'fresh' | 'bulk') => ({
  dispatchId: randomUUID(),
  lane,
  stage: 'sending' as const,
  limit: 5000,
  leaseSeconds: 120,
  runId: null,
});

/** Measures medians of time and pages. The first round, with cold caches, is left out. */
async function repeat(
  database: SqlDatabase,
  reset: () => Promise<unknown>,
  work: () => Promise<number>,
): Promise<{ ms: number; pages: number; found: number }> {
  const times: number[] = [];
  const pages: number[] = [];
  let found = 0;
  for (let repetition = 0; repetition <= REPETITIONS; repetition += 1) {
    await reset();
    const pagesBefore = await readPageCount(database);
    const startedAt = performance.now();
    found = await work();
    const ms = performance.now() - startedAt;
    const touched = (await readPageCount(database)) - pagesBefore;
    if (repetition === 0) continue;
    times.push(ms);
    pages.push(touched);
  }
  return { ms: median(times), pages: median(pages), found };
}

/**
 * Reads how many pages of 8 KB the statements of this database have touched so far.
 * Pages of tables and indexes count, whether they came from cache or from disk. The counters of a
 * session arrive late, unless the session flushes them.
 */
async function readPageCount({ kysely }: SqlDatabase): Promise<number> {
  await sql`SELECT pg_stat_force_next_flush()`.execute(kysely);
  const { rows } = await sql<{ pages: number }>`
    SELECT sum(coalesce(heap_blks_read, 0) + coalesce(heap_blks_hit, 0) + coalesce(idx_blks_read, 0) + coalesce(idx_blks_hit, 0)
             + coalesce(toast_blks_read, 0) + coalesce(toast_blks_hit, 0))::float8 AS pages
      FROM pg_statio_user_tables`.execute(kysely);
  return rows[0]?.pages ?? 0;
}
