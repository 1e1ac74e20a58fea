import { sql } from 'kysely';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { RUN_LOCK_CLASS, type SqlDatabase } from '../../lib/adapters/sql/database.ts';
import { encodeVectorArray, setElementOid } from '../../lib/core/vectors.ts';
import { openTestDatabase } from './open-test-database.ts';

let db: SqlDatabase;
beforeEach(async () => {
  db = await openTestDatabase({ migrated: false });
});
afterEach(() => db.close());

describe('a database', () => {
  it('runs its sessions in UTC, without the application’s schemas on the search path', async () => {
    const found = await sql<{ zone: string; path: string; at: string }>`
      SELECT current_setting('TimeZone') AS zone, current_setting('search_path') AS path,
             '2026-01-01 00:00:00.123456+02'::timestamptz::text AS at`.execute(db.kysely);

    expect(found.rows).toEqual([
      { zone: 'UTC', path: 'pg_catalog, public', at: '2025-12-31 22:00:00.123456+00' },
    ]);
  });

  it('takes a binary vector[] with NULLs as a parameter', async () => {
    const vectors = [
      Buffer.from(new Float32Array([1, 2, 3]).buffer),
      null,
      Buffer.from(new Float32Array([-0.5, 0, 4]).buffer),
    ];
    const array = setElementOid(encodeVectorArray(vectors, 3), await db.vectorTypeOid());

    const found = await sql<{ id: string; vector: string | null }>`
      SELECT t.id::text, t.v::text AS vector FROM unnest(${'{7,8,9}'}::bigint[], ${array}::vector[]) AS t (id, v)`.execute(
      db.kysely,
    );

    expect(found.rows).toEqual([
      { id: '7', vector: '[1,2,3]' },
      { id: '8', vector: null },
      { id: '9', vector: '[-0.5,0,4]' },
    ]);
  });

  it('takes arrays as literals in text', async () => {
    const found = await sql<{ all: string }>`
      SELECT array_to_json(${'{"a,b","q\\"uote",NULL,""}'}::text[])::text AS "all"`.execute(db.kysely);

    expect(JSON.parse(found.rows[0]?.all ?? '')).toEqual(['a,b', 'q"uote', null, '']);
  });

  it('keeps the statements of concurrent transactions apart', async () => {
    await sql`CREATE TABLE public.steps (flow integer, step integer, tx xid8 DEFAULT pg_current_xact_id())`.execute(
      db.kysely,
    );
    const flow = (number: number) =>
      db.kysely.transaction().execute(async transaction => {
        for (let step = 0; step < 5; step += 1) {
          await sql`INSERT INTO public.steps (flow, step) VALUES (${number}, ${step})`.execute(transaction);
        }
        if (number % 2 === 1) throw new Error('roll back');
      });

    const results = await Promise.allSettled([0, 1, 2, 3, 4, 5].map(flow));
    const lone = await sql`INSERT INTO public.steps (flow, step) VALUES (100, 0)`.execute(db.kysely);

    expect(results.map(result => result.status)).toEqual(
      [0, 1, 2, 3, 4, 5].map(number => (number % 2 === 1 ? 'rejected' : 'fulfilled')),
    );
    expect(lone.numAffectedRows).toBe(1n);
    const found = await sql<{ flow: number; steps: number; transactions: number }>`
      SELECT flow, count(*)::int AS steps, count(DISTINCT tx)::int AS transactions
        FROM public.steps GROUP BY flow ORDER BY flow`.execute(db.kysely);
    expect(found.rows).toEqual([
      { flow: 0, steps: 5, transactions: 1 },
      { flow: 2, steps: 5, transactions: 1 },
      { flow: 4, steps: 5, transactions: 1 },
      { flow: 100, steps: 1, transactions: 1 },
    ]);
  });

  it('rejects with the SQLSTATE and its class, and without a word of the row', async () => {
    await sql`CREATE TABLE public.canary (title text PRIMARY KEY)`.execute(db.kysely);
    await sql`INSERT INTO public.canary VALUES ('canary-text')`.execute(db.kysely);

    const error = await sql`INSERT INTO public.canary VALUES (${'canary-text'})`
      .execute(db.kysely)
      .catch(reason => reason);

    expect(error).toMatchObject({ name: 'FreshetError', failureClass: 'item', code: 'sqlstate_23505' });
    expect(`${error.stack} ${JSON.stringify(error)} ${String(error.cause)}`).not.toContain('canary-text');
  });

  it('classifies what fails inside a transaction', async () => {
    const failure = db.kysely.transaction().execute(transaction => sql`SELECT 1/0`.execute(transaction));

    await expect(failure).rejects.toMatchObject({ name: 'FreshetError', code: 'sqlstate_22012' });
  });

  it('holds a run’s lock until the run ends', async () => {
    const held = async () => {
      const found = await sql<{ objid: number }>`
        SELECT objid::int8::int4 AS objid FROM pg_locks WHERE locktype = 'advisory' AND granted
           AND classid::int8 = ${RUN_LOCK_CLASS} AND objsubid = 2
           AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) ORDER BY 1`.execute(
        db.kysely,
      );
      return found.rows.map(row => row.objid);
    };

    const first = await db.beginRun();
    const second = await db.beginRun();

    expect(await held()).toEqual([first.runId, second.runId].sort((a, b) => a - b));
    await first.end();
    expect(await held()).toEqual([second.runId]);
    await second.end();
    expect(await held()).toEqual([]);
  });
});
