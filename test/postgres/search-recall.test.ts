import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { measureRecall, type Recall, readFarthest } from '../../bench/apparatus/measure-recall.ts';
import { readWordnetRows } from '../../bench/apparatus/wordnet-rows.ts';
import { createHashProvider } from '../../lib/adapters/providers/hash.ts';
import type { SqlDatabase } from '../../lib/adapters/sql/database.ts';
import { encodeVectorArray, setElementOid } from '../../lib/core/vectors.ts';
import { clientOf, openSearched, operator } from '../database/open-searched.ts';
import { openTestDatabase } from '../database/open-test-database.ts';
import { buildModel } from '../factories/pipeline-config.ts';

const ROWS = 100_000;
const DIMENSIONS = 384;
const QUERIES = 20;
const LIMIT = 10;
const SLICE = 2000;
/** Rows that the statistics are of when they are wrong. */
const FIRST_ROWS = 100;

let db: SqlDatabase;
let notes: Awaited<ReturnType<typeof openSearched>>;
let vectors: string[];
const lines: string[] = [];

beforeAll(async () => {
  db = await openTestDatabase();
  notes = await openSearched(db, { dimensions: DIMENSIONS });
  const table = sql.id('freshet', notes.space.vectorTable);
  await sql`ALTER TABLE public.notes SET (autovacuum_enabled = off)`.execute(db.kysely);
  await sql`ALTER TABLE ${table} SET (autovacuum_enabled = off)`.execute(db.kysely);
  const provider = createHashProvider(buildModel({ dimensions: DIMENSIONS }));
  const oid = await db.vectorTypeOid();
  const rows = await readWordnetRows(ROWS);
  for (let start = 0; start < ROWS; ) {
    const slice = rows.slice(start, start === 0 ? FIRST_ROWS : start + SLICE);
    const texts = slice.map(row => `${row.title}\n${row.summary}`);
    const { items } = await provider.embed({ texts, deadlineMs: 60_000 });
    const embedded = encodeVectorArray(
      items.map(({ bytes }) => bytes),
      DIMENSIONS,
    );
    // The tenant is the part of speech, so that most tenants lie far from a noun; "few" are 100 nouns.
    await sql`INSERT INTO public.notes (id, title, tenant, price)
      SELECT n, 'note', CASE WHEN n % 1000 = 500 THEN 'few' ELSE t.tenant END, n * 7919 % ${ROWS}::int
        FROM unnest(${slice.map(({ tags }) => tags[0]!)}::text[]) WITH ORDINALITY AS t (tenant, place),
             LATERAL (SELECT ${start}::int + t.place AS n) AS numbered`.execute(db.kysely);
    await sql`INSERT INTO ${table} (item_id, outcome, source_version, source_xid, read_at, embedding, embedded_at)
      SELECT s.id, 'embedded', s.updated_at, s.xmin, now(), e.embedding, now()
        FROM unnest(${setElementOid(embedded, oid)}::vector[]) WITH ORDINALITY AS e (embedding, place)
        JOIN public.notes AS s ON s.id = ${start}::int + e.place`.execute(db.kysely);
    if (start === 0)
      for (const each of [sql`public.notes`, table]) await sql`ANALYZE ${each}`.execute(db.kysely);
    start += slice.length;
  }
  await db.kysely.connection().execute(async connection => {
    await sql`SET maintenance_work_mem = '512MB'`.execute(connection);
    // As doctor says it.
    await sql`CREATE INDEX ON ${table} USING hnsw (embedding vector_cosine_ops)
      WITH (ef_construction = 200)`.execute(connection);
    await sql`RESET maintenance_work_mem`.execute(connection);
  });
  const asked = await sql<{ vector: string }>`
    SELECT v.embedding::text AS vector FROM ${table} AS v JOIN public.notes AS s ON s.id = v.item_id
     WHERE s.tenant = 'noun' ORDER BY md5(s.id::text) LIMIT ${QUERIES}::int`.execute(db.kysely);
  vectors = asked.rows.map(({ vector }) => vector);
}, 900_000);

afterAll(async () => {
  process.stdout.write(
    `\nrecall@${LIMIT} of ${ROWS} glosses of WordNet, hash at ${DIMENSIONS} dimensions, ${QUERIES} queries\n${lines.join('\n')}\n`,
  );
  await db.close();
});

const below = (share: number) => ({ type: 'lt', key: 'price', value: share * ROWS });

const SCOPES = [
  ['1', undefined, 'true', operator, false],
  ['0.1', below(0.1), `price < ${0.1 * ROWS}`, operator, true],
  ['0.01', below(0.01), `price < ${0.01 * ROWS}`, operator, true],
  ['0.001', below(0.001), `price < ${0.001 * ROWS}`, operator, true],
  ['0.5', below(0.5), `price < ${0.5 * ROWS}`, operator, false],
  ['tenant noun, 0.82', undefined, "tenant = 'noun'", clientOf('noun'), false],
  ['tenant verb, 0.14, far', undefined, "tenant = 'verb'", clientOf('verb'), true],
  ['tenant few, 0.001', undefined, "tenant = 'few'", clientOf('few'), true],
] as const;

const truths = new Map<string, Awaited<ReturnType<typeof readFarthest>>>();

async function measure(
  filter: object | undefined,
  predicate: string,
  caller: typeof operator,
): Promise<Recall> {
  const setting = {
    ...{ kysely: db.kysely as never, vectors, limit: LIMIT },
    from: `FROM public.notes AS s JOIN freshet.${notes.space.vectorTable} AS v ON v.item_id = s.id`,
  };
  const truth = truths.get(predicate) ?? (await readFarthest(setting, predicate));
  truths.set(predicate, truth);
  return measureRecall(setting, truth, vector => notes.search({ vector, filter, limit: LIMIT }, caller));
}

async function forget(): Promise<void> {
  const tables = sql`('public.notes'::regclass, ${`freshet.${notes.space.vectorTable}`}::text::regclass)`;
  await sql`DELETE FROM pg_statistic WHERE starelid IN ${tables}`.execute(db.kysely);
  await sql`UPDATE pg_class SET reltuples = -1, relpages = 0, relallvisible = 0 WHERE oid IN ${tables}`.execute(
    db.kysely,
  );
}

async function analyse(): Promise<void> {
  await sql`ANALYZE public.notes`.execute(db.kysely);
  await sql`ANALYZE ${sql.id('freshet', notes.space.vectorTable)}`.execute(db.kysely);
}

describe.each([
  ['as they were with 100 rows', async () => {}],
  ['none, never analysed', forget],
  ['right', analyse],
] as const)('statistics: %s', (statistics, prepare) => {
  beforeAll(prepare, 120_000);

  it.each(SCOPES)(
    'at selectivity %s, recall is at least 0.99',
    async (name, filter, predicate, caller, isExact) => {
      const { recall, exact, medianMs } = await measure(filter, predicate, caller);

      lines.push(
        `statistics ${statistics} | ${name} | recall ${recall.toFixed(4)} | exact ${exact} of ${QUERIES} | ${medianMs.toFixed(0)} ms`,
      );
      expect(exact).toBe(isExact ? QUERIES : 0);
      expect(recall).toBeGreaterThanOrEqual(0.99);
    },
  );
});

describe('the search that is explained', () => {
  it('shows the walk of the index, its numbers, and no value', async () => {
    const vector = JSON.parse(vectors[0]!) as number[];

    const walk = await notes.explain({ vector });
    const narrow = await notes.explain({ vector, filter: below(0.5) });
    const exact = await notes.explain({ vector, filter: { type: 'lt', key: 'price', value: 7 } });

    expect(walk).toMatchObject({
      ...{ leg: 'hnsw', index: 'valid', efSearch: 400, exactUpTo: 10_000, counted: 10_001 },
    });
    expect(narrow).toMatchObject({ leg: 'hnsw', efSearch: 600, exactUpTo: 15_000, counted: 15_001 });
    expect(walk.plan.join('\n')).toMatch(/Index Scan using vectors_\d+_embedding_idx/);
    expect(exact).toMatchObject({ leg: 'exact', exactUpTo: 15_000, counted: 7, efSearch: null });
    expect(exact.plan.join('\n')).not.toMatch(/embedding_idx/);
    for (const line of [...walk.plan, ...exact.plan]) expect(line).not.toContain('[');
  });

  it('shares the rows among workers where it compares each of them', async () => {
    const vector = JSON.parse(vectors[0]!) as number[];
    await sql`DROP INDEX ${sql.id('freshet', `${notes.space.vectorTable}_embedding_idx`)}`.execute(db.kysely);
    await expect.poll(async () => (await notes.explain({ vector })).index).toBe('none');

    const { leg, plan } = await notes.explain({ vector });

    expect(leg).toBe('exact');
    expect(plan.join('\n')).toMatch(/Gather Merge[\s\S]*Sort[\s\S]*Parallel Seq Scan on vectors_\d+/);
  });
});
