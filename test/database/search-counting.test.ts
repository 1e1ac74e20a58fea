import { sql } from 'kysely';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { SqlDatabase } from '../../lib/adapters/sql/database.ts';
import { createSearchStore } from '../../lib/adapters/sql/search-store.ts';
import { createSystemClock } from '../../lib/adapters/system.ts';
import { clientOf, openSearched, operator } from './open-searched.ts';
import { openTestDatabase } from './open-test-database.ts';

/** Up to 1,920 rows are compared at so many dimensions, and 2,880 where a filter or tenant is named. */
const DIMENSIONS = 2000;
const ROWS = 6000;
const vector = [1, ...Array<number>(DIMENSIONS - 1).fill(0)];

let db: SqlDatabase;
let notes: Awaited<ReturnType<typeof openSearched>>;
let nowMs = 0;
let statements = 0;
let countsFirst = false;

beforeAll(async () => {
  db = await openTestDatabase();
  const clock = { ...createSystemClock(), now: () => nowMs };
  const counting = db.kysely.withPlugin({
    transformQuery({ node }) {
      statements += 1;
      countsFirst ||= JSON.stringify(node).includes('left_out AS MATERIALIZED');
      return node;
    },
    transformResult: async ({ result }) => result,
  });
  notes = await openSearched({ ...db, kysely: counting }, { dimensions: DIMENSIONS, clock });
  const vectors = sql.id('freshet', notes.space.vectorTable);
  await sql`INSERT INTO public.notes (id, title, tenant, price)
    SELECT n, 'note', CASE WHEN n <= 5 THEN 'c' WHEN n <= 3000 THEN 'a' ELSE 'b' END, n FROM generate_series(1, ${ROWS}::int) AS n`.execute(
    db.kysely,
  );
  await sql`INSERT INTO ${vectors} (item_id, outcome, source_version, source_xid, read_at, embedding, embedded_at)
    SELECT s.id, 'embedded', s.updated_at, s.xmin, now(),
           (ARRAY[1, s.id::float4 / 1000] || array_fill(0::float4, ARRAY[${DIMENSIONS - 2}::int]))::vector, now()
      FROM public.notes AS s`.execute(db.kysely);
  await sql`CREATE INDEX ON ${vectors} USING hnsw (embedding vector_cosine_ops)`.execute(db.kysely);
  await notes.keepStatistics();
}, 120_000);
afterAll(() => db.close());

const ask = async (...[asked, caller]: Parameters<typeof notes.search>) => {
  const { hits, exact } = await notes.search({ vector, limit: 2, ...asked }, caller);
  return { ids: hits.map(({ id }) => id), exact };
};

describe('an index that is left invalid', () => {
  it('is walked by no search: every row is compared, and the answer and its explanation say so', async () => {
    const setValid = (valid: boolean) =>
      sql`UPDATE pg_index SET indisvalid = ${valid}::bool FROM pg_class AS c, pg_am AS m
           WHERE c.oid = indexrelid AND m.oid = c.relam AND m.amname = 'hnsw'`.execute(db.kysely);
    nowMs += 60_000;
    expect(await ask({}, clientOf('b'))).toMatchObject({ exact: false });
    await setValid(false);
    nowMs += 100;

    expect(await ask({}, clientOf('b'))).toEqual({ ids: ['3001', '3002'], exact: true });
    expect(await notes.explain({ vector }, clientOf('b'))).toMatchObject({ leg: 'exact', index: 'invalid' });
    await setValid(true);
  });
});

describe('rows that were counted as many', () => {
  beforeEach(() => {
    nowMs += 60_000;
  });

  it('are walked without being counted again, by a state, settings and the walk', async () => {
    expect(await ask({})).toEqual({ ids: ['1', '2'], exact: false });
    nowMs += 29_000;
    statements = 0;

    expect(await ask({})).toEqual({ ids: ['1', '2'], exact: false });

    // The coverage, which is measured once a minute, was measured by the first of the two.
    expect(statements).toBe(3);
  });

  it('are walked without a state too where the last one is no tenth of a second old', async () => {
    statements = 0;
    await ask({});
    await expect.poll(() => statements).toBe(5);
    nowMs += 99;
    statements = 0;
    expect(await ask({})).toEqual({ ids: ['1', '2'], exact: false });
    expect(statements).toBe(2);
    nowMs += 1;

    await ask({});

    expect(statements).toBe(5);
  });

  it('are walked with a new state after the clock stepped back, and with one for all that come together', async () => {
    statements = 0;
    await ask({});
    await expect.poll(() => statements).toBe(5);
    nowMs -= 50;
    statements = 0;

    await Promise.all([ask({}), ask({}), ask({})]);

    expect(statements).toBe(7);
    nowMs += 50;
  });

  /** Asks twice, at more than the memory of counts apart; the first measures the coverage too. */
  const countStatements = async (first: number) => {
    statements = 0;
    await ask({});
    await expect.poll(() => statements).toBe(first + 2);
    nowMs += 31_000;
    statements = 0;
    expect(await ask({})).toEqual({ ids: ['1', '2'], exact: false });
    return statements;
  };

  it('are not counted at all where everything is searched and the table’s pages tell', async () => {
    expect(await countStatements(3)).toBe(3);
  });

  it('are counted where the table has no statistics', async () => {
    const table = sql`${`freshet.${notes.space.vectorTable}`}::text::regclass`;
    const { rows } = await sql<{ reltuples: number; relpages: number }>`
      SELECT reltuples, relpages FROM pg_class WHERE oid = ${table}`.execute(db.kysely);
    await sql`UPDATE pg_class SET reltuples = -1, relpages = 0 WHERE oid = ${table}`.execute(db.kysely);

    try {
      expect(await countStatements(4)).toBe(4);
    } finally {
      const { reltuples, relpages } = rows[0]!;
      await sql`UPDATE pg_class SET reltuples = ${reltuples}::float4, relpages = ${relpages}::int
        WHERE oid = ${table}`.execute(db.kysely);
    }
  });

  it('say nothing of another filter or tenant', async () => {
    expect(await ask({})).toMatchObject({ exact: false });
    expect(await ask({}, clientOf('a'))).toMatchObject({ exact: false });
    const all = { type: 'gt', key: 'price', value: 0 };
    expect(await ask({ filter: all })).toMatchObject({ exact: false });
    expect(await ask({ filter: all }, clientOf('b'))).toMatchObject({ exact: false });
    const few = { type: 'gt', key: 'price', value: 5990 };

    expect(await ask({ filter: few })).toEqual({ ids: ['5991', '5992'], exact: true });
    expect(await ask({}, clientOf('c'))).toEqual({ ids: ['1', '2'], exact: true });
    expect(await ask({ filter: few }, clientOf('b'))).toEqual({ ids: ['5991', '5992'], exact: true });
    expect(await ask({}, clientOf('b'))).toEqual({ ids: ['3001', '3002'], exact: false });
  });

  it('are compared, each of them, once they were counted as few', async () => {
    const filter = { type: 'eq', key: 'title', value: 'note' };
    expect(await ask({ filter })).toMatchObject({ exact: false });
    await sql`UPDATE public.notes SET title = 'other' WHERE id NOT IN (7, 400, 1500)`.execute(db.kysely);

    // The walk still meets two of them; which they are is not certain before they are counted.
    expect(await ask({ filter })).toEqual({ ids: ['7', '400'], exact: false });
    nowMs += 31_000;

    expect(await ask({ filter })).toEqual({ ids: ['7', '400'], exact: true });
    await sql`UPDATE public.notes SET title = 'note'`.execute(db.kysely);
    expect(await ask({ filter })).toEqual({ ids: ['1', '2'], exact: false });
  });

  it('are compared at once where the walk ends without a full page', async () => {
    const filter = { type: 'ne', key: 'title', value: 'gone' };
    expect(await ask({ filter })).toMatchObject({ exact: false });
    await sql`UPDATE public.notes SET title = 'gone' WHERE id <> 5999`.execute(db.kysely);

    expect(await ask({ filter })).toEqual({ ids: ['5999'], exact: true });
    await sql`UPDATE public.notes SET title = 'note'`.execute(db.kysely);
  });

  it('are compared without the index where it gave up', async () => {
    const found = await db.kysely.connection().execute(async session => {
      const store = createSearchStore({ ...db, kysely: session }, notes.config, { now: () => nowMs });
      const source = (await store.find('notes'))!;
      const column = source.filters.find(({ name }) => name === 'title')!;
      const near = { vector: Buffer.from(new Float32Array(vector).buffer) };
      const filter = { type: 'ne' as const, column, value: 'gone' };
      const asked = {
        ...{ source, near, filter, caller: operator, columns: [], withVectors: false },
        ...{ limit: 2, after: undefined, maxDistance: undefined },
      };
      const findNearest = () => store.findNearest(asked);
      const before = await findNearest();
      await sql`UPDATE public.notes SET title = 'gone' WHERE id <> 5999`.execute(session);
      await sql`SET hnsw.max_scan_tuples = 1`.execute(session);

      const after = await findNearest();

      await sql`RESET hnsw.max_scan_tuples`.execute(session);
      await sql`UPDATE public.notes SET title = 'note'`.execute(session);
      return { before, after };
    });

    expect(found.before).toMatchObject({ rows: [{ id: '1' }, { id: '2' }], isExact: false });
    expect(found.after).toMatchObject({ rows: [{ id: '5999' }], isExact: true });
  });

  it('are counted first again where the walk ended without a full page', async () => {
    const vectors = sql.id('freshet', notes.space.vectorTable);
    const filter = { type: 'gt', key: 'price', value: ROWS };
    await sql`INSERT INTO public.notes (id, title, price)
      SELECT n, 'zero', n FROM generate_series(${ROWS + 1}::int, ${ROWS + 2900}::int) AS n`.execute(
      db.kysely,
    );
    // No index of vectors holds a vector of zeros, so that a walk meets none of these rows.
    await sql`INSERT INTO ${vectors} (item_id, outcome, source_version, source_xid, read_at, embedding, embedded_at)
      SELECT id, 'embedded', updated_at, xmin, now(), array_fill(0::float4, ARRAY[${DIMENSIONS}::int])::vector, now()
        FROM public.notes WHERE price > ${ROWS}::int`.execute(db.kysely);
    expect(await ask({ filter })).toEqual({ ids: [], exact: true });
    countsFirst = false;

    expect(await ask({ filter })).toEqual({ ids: [], exact: true });

    expect(countsFirst).toBe(true);
    await sql`DELETE FROM ${vectors} WHERE item_id > ${ROWS}::int`.execute(db.kysely);
    await sql`DELETE FROM public.notes WHERE id > ${ROWS}::int`.execute(db.kysely);
  });

  it('are told from rows without a vector, even if there are as many of those', async () => {
    const vectors = sql.id('freshet', notes.space.vectorTable);
    const filter = { type: 'gt', key: 'price', value: 0 };
    const leaveOut = (first: number, last: number) =>
      sql`UPDATE ${vectors} SET outcome = 'excluded:empty', embedding = NULL
        WHERE item_id BETWEEN ${first}::int AND ${last}::int`.execute(db.kysely);

    await leaveOut(101, 1100);
    const first = { type: 'lte', key: 'price', value: 3500 };
    expect(await ask({ filter: first })).toEqual({ ids: ['1', '2'], exact: true });
    expect(await ask({ filter })).toEqual({ ids: ['1', '2'], exact: false });
    nowMs += 31_000;
    await leaveOut(1101, 3200);
    expect(await ask({ filter })).toEqual({ ids: ['1', '2'], exact: false });
    nowMs += 31_000;
    await leaveOut(3201, 3300);

    expect(await ask({ filter })).toEqual({ ids: ['1', '2'], exact: true });
    expect(await ask({ filter })).toEqual({ ids: ['1', '2'], exact: true });
  });
});

describe('the coverage beside the hits', () => {
  it('is counted before the answer for who has not asked for ten minutes', async () => {
    const caller = clientOf('d');
    // One is measured at a time: that of another caller may be first.
    const readPercent = async () => (await notes.search({ vector }, caller)).coverage_percent;
    await expect.poll(readPercent).toBe(100);
    await sql`INSERT INTO public.notes (id, title, tenant) VALUES (10000, 'new', 'd')`.execute(db.kysely);
    nowMs += 30_000;
    expect(await notes.search({ vector }, caller)).toMatchObject({ coverage_percent: 100, stale: 0 });
    nowMs += 600_000;

    const answers = await Promise.all([notes.search({ vector }, caller), notes.search({ vector }, caller)]);

    for (const answer of answers) expect(answer).toMatchObject({ coverage_percent: 0, stale: 1 });
  });
});
