import { sql } from 'kysely';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { SqlDatabase } from '../../lib/adapters/sql/database.ts';
import { inspectDatabase } from '../../lib/adapters/sql/doctor.ts';
import { ensureSpaces } from '../../lib/adapters/sql/ensure-spaces.ts';
import { openSearched } from './open-searched.ts';
import { dropRoles, openTestDatabase } from './open-test-database.ts';

const ROLE = 'freshet_test_reader';

let db: SqlDatabase;
beforeEach(async () => {
  db = await openTestDatabase();
});
afterEach(async () => {
  await dropRoles(db, [ROLE]);
  await db.close();
});

interface Hit {
  readonly id: string;
  readonly score: number;
  readonly exact: boolean;
}

/** Asks as an application does, in SQL of its own. */
async function ask(rest = '', from: Pick<SqlDatabase, 'kysely'> = db): Promise<readonly Hit[]> {
  const { rows } = await sql<Hit>`
    SELECT id::text AS id, score, exact FROM embeddings.search_notes('[1,0,0]'${sql.raw(rest)})`.execute(
    from.kysely,
  );
  return rows;
}

/** Asks in vain, and reads what PostgreSQL says: the database of the tests keeps its words back. */
async function readRefusal(given: string): Promise<string> {
  await sql
    .raw(
      `DO $$ BEGIN
         PERFORM FROM embeddings.search_notes(${given});
         PERFORM set_config('test.refusal', '', false);
       EXCEPTION WHEN OTHERS THEN
         PERFORM set_config('test.refusal', SQLSTATE || ' ' || SQLERRM, false);
       END $$`,
    )
    .execute(db.kysely);
  const { rows } = await sql<{ said: string }>`SELECT current_setting('test.refusal') AS said`.execute(
    db.kysely,
  );
  return rows[0]!.said;
}

const idsOf = (hits: readonly Hit[]) => hits.map(({ id }) => id);

describe('the function that searches a source in SQL', () => {
  it('gives the keys of the nearest rows with their scores, as many as asked for', async () => {
    const { write } = await openSearched(db);
    await write([
      { id: 1, vector: [1, 0, 0] },
      { id: 2, vector: [0, 1, 0] },
      { id: 3, vector: [0.6, 0.8, 0] },
    ]);

    const hits = await ask();

    expect(idsOf(hits)).toEqual(['1', '3', '2']);
    expect(hits.map(({ score }) => score)).toEqual([
      expect.closeTo(1),
      expect.closeTo(0.6),
      expect.closeTo(0),
    ]);
    expect(hits.every(({ exact }) => exact)).toBe(true);
    expect(idsOf(await ask(', 1'))).toEqual(['1']);
    expect(idsOf(await ask(', min_score => 0.5'))).toEqual(['1', '3']);
    await expect(ask(', 0')).rejects.toMatchObject({ code: 'sqlstate_22023' });
  });

  it.each([
    ['NULL', 'query'],
    ["'[1,0,0]', NULL", 'max_rows'],
    ["'[1,0,0]', min_score => NULL", 'min_score'],
    ['NULL, NULL, NULL', 'query, max_rows, min_score'],
  ])('refuses (%s) and names what is NULL: %s', async (given, named) => {
    await openSearched(db);

    expect(await readRefusal(given)).toBe(`22004 search_notes: no argument may be NULL; NULL is ${named}`);
  });

  it('of an earlier release is made anew by the next look at its source, and keeps its grants', async () => {
    const { config } = await openSearched(db);
    await sql`CREATE ROLE ${sql.id(ROLE)} NOLOGIN`.execute(db.kysely);
    await sql`GRANT EXECUTE ON FUNCTION embeddings.search_notes TO ${sql.id(ROLE)}`.execute(db.kysely);
    const { rows } = await sql<{ made: string }>`
      SELECT pg_get_functiondef('embeddings.search_notes'::regproc) AS made`.execute(db.kysely);
    await sql.raw(rows[0]!.made.replace('; NULL is ', ', said an earlier release: ')).execute(db.kysely);
    const before = await readFunction();
    expect(await readRefusal('NULL')).toContain('said an earlier release');

    await ensureSpaces(db, config);

    expect(await readRefusal('NULL')).toBe('22004 search_notes: no argument may be NULL; NULL is query');
    expect(await readFunction()).toMatchObject({ oid: before!.oid, acl: before!.acl });
  });

  it('joins the source: a row that is gone is no hit', async () => {
    const { write } = await openSearched(db);
    await write([{ id: 1 }, { id: 2 }]);
    await sql`DELETE FROM public.notes WHERE id = 1`.execute(db.kysely);

    expect(idsOf(await ask())).toEqual(['2']);
  });

  it('does not stand in the way of the application’s own migrations', async () => {
    const { write } = await openSearched(db);
    await write([{ id: 1 }]);
    await ask();

    await sql`ALTER TABLE public.notes DROP COLUMN price`.execute(db.kysely);
    await sql`ALTER TABLE public.notes ALTER COLUMN title TYPE varchar(80)`.execute(db.kysely);
    await sql`ALTER TABLE public.notes RENAME TO remarks`.execute(db.kysely);
    await sql`ALTER TABLE public.remarks RENAME TO notes`.execute(db.kysely);

    expect(idsOf(await ask())).toEqual(['1']);
    await sql`DROP TABLE public.notes`.execute(db.kysely);
  });

  it('is made anew when another space becomes active, keeps its grants, and is else left alone', async () => {
    const { write, config } = await openSearched(db);
    await write([{ id: 1 }]);
    await sql`CREATE ROLE ${sql.id(ROLE)} NOLOGIN`.execute(db.kysely);
    await sql`REVOKE EXECUTE ON FUNCTION embeddings.search_notes FROM PUBLIC`.execute(db.kysely);
    await sql`GRANT EXECUTE ON FUNCTION embeddings.search_notes TO ${sql.id(ROLE)}`.execute(db.kysely);
    const before = await readFunction();

    await ensureSpaces(db, config);
    expect(await readFunction()).toEqual(before);
    const [source] = config.sources;
    await ensureSpaces(db, { ...config, sources: [{ ...source!, models: ['other'] }] });

    const after = await readFunction();
    expect(after).toMatchObject({ oid: before!.oid, acl: before!.acl });
    expect(after!.xmin).not.toBe(before!.xmin);
    // The other model's space holds nothing yet.
    expect(await ask()).toEqual([]);
  });

  it('follows a key that changed its type', async () => {
    const { write, config } = await openSearched(db);
    await write([{ id: 1 }]);
    await sql`ALTER TABLE public.notes ALTER COLUMN id TYPE integer`.execute(db.kysely);

    const [source] = config.sources;
    const changed = { ...config, sources: [{ ...source!, models: ['small'] }] };
    const refusal = await ensureSpaces(db, changed, { adopt: true }).catch(error => error);
    for (const statement of refusal.remedy.split(/(?<=;) /)) await sql.raw(statement).execute(db.kysely);
    await ensureSpaces(db, changed, { adopt: true });

    const { rows } = await sql<{ type: string }>`
      SELECT pg_typeof(id)::text AS type FROM embeddings.search_notes('[1,0,0]')`.execute(db.kysely);
    expect(rows).toEqual([{ type: 'integer' }]);
  });

  it('leaves a function that somebody else made, and doctor says so', async () => {
    const { config } = await openSearched(db, {
      setUp: `CREATE SCHEMA embeddings;
        CREATE FUNCTION embeddings.search_notes(text) RETURNS integer LANGUAGE sql AS 'SELECT 7'`,
    });

    const { rows } = await sql`SELECT embeddings.search_notes('x') AS found`.execute(db.kysely);
    expect(rows).toEqual([{ found: 7 }]);
    await expect(ask()).rejects.toThrow();
    const findings = await inspectDatabase(db, config);
    expect(findings.find(({ message }) => message.includes('search_notes'))).toMatchObject({
      ...{ check: 'search', ok: false, severity: 'warning' },
    });
  });

  it('runs with its caller’s rights: policies of the source decide what is seen', async () => {
    const { write } = await openSearched(db, {
      setUp: `CREATE ROLE ${ROLE} NOLOGIN;
        ALTER TABLE public.notes ENABLE ROW LEVEL SECURITY;
        CREATE POLICY own ON public.notes TO ${ROLE} USING (tenant = current_setting('app.tenant'))`,
    });
    await write([
      { id: 1, tenant: 'a' },
      { id: 2, tenant: 'b' },
      { id: 3, tenant: 'a' },
    ]);
    const askAs = (tenant: string) =>
      db.kysely.transaction().execute(async transaction => {
        await sql`SELECT set_config('app.tenant', ${tenant}, true), set_config('role', ${ROLE}, true)`.execute(
          transaction,
        );
        return ask('', { kysely: transaction });
      });

    await sql`GRANT USAGE ON SCHEMA embeddings TO ${sql.id(ROLE)}`.execute(db.kysely);
    await sql`GRANT SELECT ON public.notes TO ${sql.id(ROLE)}`.execute(db.kysely);
    // The function gives no right that its caller does not have.
    await expect(askAs('a')).rejects.toMatchObject({ code: 'sqlstate_42501' });
    await sql`GRANT SELECT ON embeddings.notes TO ${sql.id(ROLE)}`.execute(db.kysely);

    expect(idsOf(await askAs('a'))).toEqual(['1', '3']);
    expect(idsOf(await askAs('b'))).toEqual(['2']);
  });

  it('walks a valid index of many rows, leaves no setting behind, and compares all where the walk ends early', async () => {
    const { space } = await openSearched(db, { dimensions: 2000 });
    // 1,921 rows and more are walked at 2,000 dimensions.
    await sql`INSERT INTO public.notes (id, title, tenant) SELECT n, 'note', 'a' FROM generate_series(1, 2000) AS n`.execute(
      db.kysely,
    );
    const vectors = sql.id('freshet', space.vectorTable);
    await sql`INSERT INTO ${vectors} (item_id, outcome, source_version, source_xid, read_at, embedding, embedded_at)
      SELECT s.id, 'embedded', s.updated_at, s.xmin, now(),
             (ARRAY[1, s.id::float4 / 1000] || array_fill(0::float4, ARRAY[1998]))::vector, now()
        FROM public.notes AS s`.execute(db.kysely);
    await sql`CREATE INDEX ON ${vectors} USING hnsw (embedding vector_cosine_ops)`.execute(db.kysely);
    const asked = sql<Hit & { readonly left: string }>`
      SELECT id::text AS id, exact, current_setting('hnsw.ef_search') || ' ' || current_setting('hnsw.iterative_scan')
             || ' ' || current_setting('enable_sort') AS left
        FROM embeddings.search_notes((ARRAY[1] || array_fill(0::float4, ARRAY[1999]))::vector, 3)`;
    const read = () =>
      db.kysely.transaction().execute(async transaction => (await asked.execute(transaction)).rows);

    const walked = await read();
    await sql`DELETE FROM public.notes WHERE id BETWEEN 2 AND 70`.execute(db.kysely);
    await sql`UPDATE ${vectors} SET item_id = -item_id WHERE item_id BETWEEN 2 AND 70`.execute(db.kysely);
    const narrowed = await read();

    expect(walked).toMatchObject(['1', '2', '3'].map(id => ({ id, exact: false, left: '40 off on' })));
    expect(narrowed).toMatchObject(['1', '71', '72'].map(id => ({ id })));
  });

  describe('with statistics that say how many rows there are', () => {
    const READ = sql<{
      read: number;
    }>`SELECT (coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0))::int AS read
      FROM pg_stat_xact_user_tables WHERE relname = 'notes'`;
    /** Claims a number of rows for both tables; -1 is what a table has that was never analysed. */
    const claim = async (rows: number, tables = ['notes', 'vectors_1']) =>
      sql`UPDATE pg_class SET reltuples = ${rows}::float4,
          relpages = greatest(1, pg_relation_size(oid) / current_setting('block_size')::int)
        WHERE relname = ANY (${tables}::text[])`.execute(db.kysely);
    const write = async (setUp = '') => {
      const { write: writeRows, space, keepStatistics } = await openSearched(db, { setUp });
      expect(space.vectorTable).toBe('vectors_1');
      await writeRows(Array.from({ length: 60 }, (_, n) => ({ id: n + 1, vector: [1, n / 10, 0] })));
      await sql`CREATE INDEX ON freshet.vectors_1 USING hnsw (embedding vector_cosine_ops)`.execute(
        db.kysely,
      );
      await keepStatistics();
    };
    const look = () =>
      db.kysely.transaction().execute(async transaction => {
        const before = (await READ.execute(transaction)).rows[0]?.read ?? 0;
        const hits = await ask(', 3', { kysely: transaction });
        const after = (await READ.execute(transaction)).rows[0]?.read ?? 0;
        return { ids: idsOf(hits), exact: hits.every(({ exact }) => exact), read: after - before };
      });

    it('counts nothing where both tables are far larger than what is compared', async () => {
      await write();
      await claim(100_000_000);

      const walked = await look();

      expect(walked).toMatchObject({ ids: ['1', '2', '3'], exact: false });
      expect(walked.read).toBeLessThan(10);
      // Fewer than were asked for: the statistics were wrong, and every row is compared.
      const all = await ask(', 100');
      expect([all.length, all.every(({ exact }) => exact)]).toEqual([60, true]);
    });

    it.each([
      ['never analysed', -1, undefined],
      ['a source of few rows', 60, ['notes']],
      ['few vectors', 60, ['vectors_1']],
    ] as const)('compares every row with statistics of %s', async (_, rows, tables) => {
      await write();
      await claim(100_000_000);
      await claim(rows, tables && [...tables]);

      expect(await look()).toMatchObject({ ids: ['1', '2', '3'], exact: true });
    });

    it('counts what policies leave to the caller, whatever the statistics say', async () => {
      await write(`CREATE ROLE ${ROLE} NOLOGIN;
        ALTER TABLE public.notes ENABLE ROW LEVEL SECURITY;
        CREATE POLICY few ON public.notes TO ${ROLE} USING (id < 50)`);
      await sql`GRANT USAGE ON SCHEMA embeddings TO ${sql.id(ROLE)}`.execute(db.kysely);
      await sql`GRANT SELECT ON public.notes, embeddings.notes TO ${sql.id(ROLE)}`.execute(db.kysely);
      await claim(100_000_000);

      const hits = await db.kysely.transaction().execute(async transaction => {
        await sql`SELECT set_config('role', ${ROLE}, true)`.execute(transaction);
        return ask(', 3', { kysely: transaction });
      });

      expect(hits).toMatchObject(['1', '2', '3'].map(id => ({ id, exact: true })));
    });
  });
});

async function readFunction() {
  const { rows } = await sql<{ oid: number; xmin: string; acl: string }>`
    SELECT oid::int4 AS oid, xmin::text AS xmin, proacl::text AS acl FROM pg_proc WHERE proname = 'search_notes'`.execute(
    db.kysely,
  );
  return rows[0];
}
