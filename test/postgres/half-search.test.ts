import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { SqlDatabase } from '../../lib/adapters/sql/database.ts';
import { openSearched } from '../database/open-searched.ts';
import { openTestDatabase } from '../database/open-test-database.ts';

/** More than an index of `vector` takes; with so many, 1,536 rows are compared one by one. */
const DIMENSIONS = 2500;
const ROWS = 1700;
/** Ids that far from each other may have one vector: half floats are coarser than the circle. */
const NEAR = 25;

let db: SqlDatabase;
let notes: Awaited<ReturnType<typeof openSearched>>;

beforeAll(async () => {
  db = await openTestDatabase();
  notes = await openSearched(db, { dimensions: DIMENSIONS, storage: 'halfvec' });
  const vectors = sql.id('freshet', notes.space.vectorTable);
  await sql`INSERT INTO public.notes (id, title, tenant, price)
    SELECT n, 'note ' || n, 'a', n FROM generate_series(1, ${ROWS}::int) AS n`.execute(db.kysely);
  // On a quarter of a circle, in the order of their ids; all other components are 0.
  await sql`INSERT INTO ${vectors} (item_id, outcome, source_version, source_xid, read_at, embedding, embedded_at)
    SELECT s.id, 'embedded', s.updated_at, s.xmin, now(),
           (ARRAY[cos(s.id * pi() / 2 / ${ROWS}::int), sin(s.id * pi() / 2 / ${ROWS}::int)]::real[]
             || array_fill(0::real, ARRAY[${DIMENSIONS - 2}::int]))::halfvec, now()
      FROM public.notes AS s`.execute(db.kysely);
  await sql`CREATE INDEX ON ${vectors} USING hnsw (embedding halfvec_cosine_ops)`.execute(db.kysely);
});
afterAll(() => db.close());

/** A query of any length, in the direction of row `id`. */
const towards = (id: number, length = 1) => {
  const angle = (id * Math.PI) / 2 / ROWS;
  return [length * Math.cos(angle), length * Math.sin(angle), ...Array(DIMENSIONS - 2).fill(0)];
};

describe('a search of half floats, of more dimensions than an index of floats takes', () => {
  it('walks the index', async () => {
    const plan = await notes.explain({ vector: towards(1000) });
    const { exact, hits } = await notes.search({ vector: towards(1000), limit: 3 });

    expect(plan).toMatchObject({ leg: 'hnsw', index: 'valid', exactUpTo: 1536, counted: 1537 });
    expect(plan.plan.join('\n')).toMatch(/Index Scan using vectors_\d+_embedding_idx/);
    expect(exact).toBe(false);
    for (const { id } of hits) expect(Math.abs(Number(id) - 1000)).toBeLessThanOrEqual(NEAR);
  });

  it('walks the index in SQL too', async () => {
    const query = JSON.stringify(towards(1000));
    const { rows } = await sql<{ id: string; exact: boolean }>`
      SELECT id::text, exact FROM embeddings.search_notes(${query}::text::halfvec, 3)`.execute(db.kysely);

    expect(rows.map(({ exact }) => exact)).toEqual([false, false, false]);
    for (const { id } of rows) expect(Math.abs(Number(id) - 1000)).toBeLessThanOrEqual(NEAR);
  });

  it('finds the same for a query that no half float could hold, and for a row as for its vector', async () => {
    const filter = { type: 'lte', key: 'price', value: 900 } as const;
    const scores = async (vector: number[]) =>
      (await notes.search({ vector, filter, limit: 5 })).hits.map(({ id, score }) => [id, score]);

    const found = await scores(towards(300));
    expect(await scores(towards(300, 1e20))).toEqual(found);
    expect(await scores(towards(300, 1e-20))).toEqual(found);
    const { hits } = await notes.search({ like: '300', filter, limit: 4 });
    expect(hits).toHaveLength(4);
    for (const { id } of hits) expect(Math.abs(Number(id) - 300)).toBeLessThanOrEqual(NEAR);
  });
});
