import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { SqlDatabase } from '../../lib/adapters/sql/database.ts';
import { clientOf, openSearched, operator } from '../database/open-searched.ts';
import { openTestDatabase } from '../database/open-test-database.ts';

const ROWS = 20_000;
const DIMENSIONS = 384;
const QUERIES = 10;
const LIMIT = 10;

let db: SqlDatabase;
let notes: Awaited<ReturnType<typeof openSearched>>;

beforeAll(async () => {
  db = await openTestDatabase();
  notes = await openSearched(db, { dimensions: DIMENSIONS });
  const vectors = sql.id('freshet', notes.space.vectorTable);
  // Never analysed: the planner has no numbers of either table.
  await sql`ALTER TABLE public.notes SET (autovacuum_enabled = off)`.execute(db.kysely);
  await sql`ALTER TABLE ${vectors} SET (autovacuum_enabled = off)`.execute(db.kysely);
  await sql`SELECT setseed(0.42)`.execute(db.kysely);
  // Tenant "far" has 20 rows, all of them away from every query; the others lie in 200 heaps.
  await sql`INSERT INTO public.notes (id, title, tenant, price)
    SELECT n, 'note ' || n, CASE WHEN n % 1000 = 0 THEN 'far' ELSE 'near' END, n FROM generate_series(1, ${ROWS}::int) AS n`.execute(
    db.kysely,
  );
  await sql`WITH heaps AS MATERIALIZED (
      SELECT h, ARRAY(SELECT (random() - 0.5)::float4 FROM generate_series(1, 64) WHERE h >= 0) AS centre
        FROM generate_series(0, 199) AS h)
    INSERT INTO ${vectors} (item_id, outcome, source_version, source_xid, read_at, embedding, embedded_at)
    SELECT s.id, 'embedded', s.updated_at, s.xmin, now(),
           (ARRAY(SELECT c + (random() - 0.5)::float4 FROM unnest(h.centre) AS c)
             || array_fill(CASE WHEN s.tenant = 'far' THEN -1 ELSE 1 END::float4, ARRAY[4])
             || array_fill(0::float4, ARRAY[${DIMENSIONS - 68}::int]))::vector, now()
      FROM public.notes AS s JOIN heaps AS h ON h.h = s.id % 200`.execute(db.kysely);
  await sql`CREATE INDEX ON ${vectors} USING hnsw (embedding vector_cosine_ops)`.execute(db.kysely);
}, 300_000);
afterAll(() => db.close());

/** Vectors of rows that are asked for again, as somebody's text near to them would be. */
async function readQueries(): Promise<number[][]> {
  const { rows } = await sql<{ vector: string }>`
    SELECT embedding::text AS vector FROM ${sql.id('freshet', notes.space.vectorTable)}
     WHERE item_id % 997 = 1 ORDER BY item_id LIMIT ${QUERIES}::int`.execute(db.kysely);
  return rows.map(({ vector }) => JSON.parse(vector) as number[]);
}

async function findTruth(vector: readonly number[], predicate: string): Promise<readonly string[]> {
  const { rows } = await sql<{ id: string }>`
    WITH near AS MATERIALIZED (
      SELECT s.id, v.embedding <=> ${JSON.stringify(vector)}::vector AS distance
        FROM public.notes AS s JOIN ${sql.id('freshet', notes.space.vectorTable)} AS v ON v.item_id = s.id
       WHERE ${sql.raw(predicate)})
    SELECT id::text AS id FROM near ORDER BY distance, id LIMIT ${LIMIT}::int`.execute(db.kysely);
  return rows.map(({ id }) => id);
}

describe('recall of ten, of 20,000 rows that were never analysed', () => {
  it.each([
    [1, undefined, 'true', operator, false],
    [0.3, { type: 'lte', key: 'price', value: 6000 }, 'price <= 6000', operator, false],
    [0.1, { type: 'lte', key: 'price', value: ROWS / 10 }, `price <= ${ROWS / 10}`, operator, true],
    [0.01, { type: 'lte', key: 'price', value: ROWS / 100 }, `price <= ${ROWS / 100}`, operator, true],
    [0.001, { type: 'lte', key: 'price', value: ROWS / 1000 }, `price <= ${ROWS / 1000}`, operator, true],
    [0.999, undefined, "tenant = 'near'", clientOf('near'), false],
    [0.001, undefined, "tenant = 'far'", clientOf('far'), true],
  ])('at selectivity %d is at least 0.99 (filter %j, %s)', async (_, filter, predicate, caller, isExact) => {
    const queries = await readQueries();
    expect(queries).toHaveLength(QUERIES);
    let found = 0;
    let wanted = 0;
    for (const vector of queries) {
      const truth = new Set(await findTruth(vector, predicate));
      const answer = await notes.search({ vector, filter, limit: LIMIT }, caller);
      expect(answer.exact).toBe(isExact);
      expect(answer.hits).toHaveLength(LIMIT);
      wanted += truth.size;
      found += answer.hits.filter(({ id }) => truth.has(id)).length;
    }
    expect(found / wanted).toBeGreaterThanOrEqual(0.99);
  });

  it('is explained: the walk of the index, its numbers, and no value', async () => {
    const [vector] = await readQueries();

    const walk = await notes.explain({ vector: vector! });
    const exact = await notes.explain({ vector: vector!, filter: { type: 'lte', key: 'price', value: 7 } });

    expect(walk).toMatchObject({
      leg: 'hnsw',
      index: 'valid',
      efSearch: 200,
      exactUpTo: 10_000,
      counted: 10_001,
    });
    expect(walk.plan.join('\n')).toMatch(/Index Scan using vectors_\d+_embedding_idx/);
    expect(exact).toMatchObject({ leg: 'exact', exactUpTo: 3000, counted: 7, efSearch: null });
    expect(exact.plan.join('\n')).not.toMatch(/embedding_idx/);
    for (const line of [...walk.plan, ...exact.plan]) expect(line).not.toContain('[');
  });
});
