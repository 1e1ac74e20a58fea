import fc from 'fast-check';
import { sql } from 'kysely';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { SqlDatabase } from '../../lib/adapters/sql/database.ts';
import { inspectVectors } from '../../lib/adapters/sql/doctor-vectors.ts';
import { ensureSpaces } from '../../lib/adapters/sql/ensure-spaces.ts';
import { roundToHalf } from '../../lib/core/half-floats.ts';
import { encodeVectorArray, setElementOid } from '../../lib/core/vectors.ts';
import { buildConfig, buildSourceConfig } from '../factories/pipeline-config.ts';
import { openTestWorkspace } from '../wiring/open-test-workspace.ts';
import { createSourceTable } from './open-space.ts';
import { dropRoles, openTestDatabase } from './open-test-database.ts';

const ROLES = ['half_reader', 'Half of them'];
const toBytes = (values: readonly number[]) => Buffer.from(Float32Array.from(values).buffer);

describe('a space of half floats', () => {
  let db: SqlDatabase;
  beforeEach(async () => {
    db = await openTestDatabase();
  });
  afterEach(() => db.close());

  it('is given vectors that are rounded as pgvector rounds them', async () => {
    const oid = await db.vectorTypeOid('halfvec');
    const component = fc.oneof(
      fc.float({ min: -1, max: 1, noNaN: true }),
      fc.float({ min: -65_504, max: 65_504, noNaN: true }),
      // The smallest half floats, and below.
      fc.float({ min: Math.fround(-1e-4), max: Math.fround(1e-4), noNaN: true }),
    );
    const vector = fc.array(component, { minLength: 100, maxLength: 100 });
    await fc.assert(
      fc.asyncProperty(fc.array(vector, { minLength: 20, maxLength: 20 }), async vectors => {
        // A component that is no zero, so that each is a vector.
        const given = vectors.map(values => toBytes([1, ...values.slice(1)]));
        const halves = [true, false].map(isNative => {
          const rounded = given.map(bytes => roundToHalf(bytes, isNative)!);
          return setElementOid(encodeVectorArray(rounded, 100, 'halfvec'), oid);
        });
        const whole = setElementOid(encodeVectorArray(given, 100), await db.vectorTypeOid());

        const { rows } = await sql<{ differ: number }>`
          SELECT count(*)::int AS differ
            FROM unnest(${halves[0]!}::halfvec[], ${halves[1]!}::halfvec[], ${whole}::vector[]) AS u (native, own, v)
           WHERE native::text <> v::halfvec::text OR own::text <> v::halfvec::text`.execute(db.kysely);

        expect(rows).toEqual([{ differ: 0 }]);
      }),
      { numRuns: 5 },
    );
  });

  it('refuses in the client what pgvector refuses, and nothing else', async () => {
    for (const value of [65_504, 65_519.99, 65_520, 70_000]) {
      const taken = await sql`SELECT ${`[${Math.fround(value)}]`}::vector::halfvec`
        .execute(db.kysely)
        .then(() => true)
        .catch(() => false);

      expect([value, roundToHalf(toBytes([value])) !== undefined]).toEqual([value, taken]);
    }
  });

  it('stands beside that of whole floats, and takes its view with the rights of the view', async () => {
    await createSourceTable(db);
    const whole = buildConfig([buildSourceConfig()]);
    const half = buildConfig([buildSourceConfig({ storage: 'halfvec' })]);
    const [first] = await ensureSpaces(db, whole);
    for (const role of ROLES) await sql`CREATE ROLE ${sql.id(role)}`.execute(db.kysely);
    try {
      await sql`GRANT SELECT ON embeddings.ai_items TO half_reader`.execute(db.kysely);
      await sql`GRANT SELECT (id, embedding_model) ON embeddings.ai_items TO "Half of them"`.execute(
        db.kysely,
      );
      await sql`GRANT SELECT (embedding) ON embeddings.ai_items TO "Half of them" WITH GRANT OPTION`.execute(
        db.kysely,
      );
      await sql`REVOKE EXECUTE ON FUNCTION embeddings.search_ai_items FROM PUBLIC`.execute(db.kysely);
      await sql`GRANT EXECUTE ON FUNCTION embeddings.search_ai_items TO "Half of them"`.execute(db.kysely);

      const [second] = await ensureSpaces(db, half);

      expect(second?.spaceId).not.toBe(first?.spaceId);
      expect(await columnTypes(`freshet.${second?.vectorTable}`)).toContain('embedding halfvec(3)');
      // Another order than in a view of `vector`: code that compares names alone drops the view too.
      expect(await columnTypes('embeddings.ai_items')).toEqual([
        'id bigint',
        'embedding_model text',
        'embedding halfvec',
        'embedding_updated_at timestamp with time zone',
      ]);
      expect(await readRights()).toEqual([
        ['half_reader', true, true, true, false, false],
        ['Half of them', false, true, false, true, true],
      ]);

      expect((await ensureSpaces(db, half))[0]?.spaceId).toBe(second?.spaceId);
      expect((await ensureSpaces(db, whole))[0]?.spaceId).toBe(first?.spaceId);
      expect(await columnTypes('embeddings.ai_items')).toContain('embedding vector');
    } finally {
      await dropRoles(db, ROLES);
    }
  });

  /** Per role: the whole view, two of its columns, one to give on, and the function. */
  async function readRights(): Promise<unknown[]> {
    const view = 'embeddings.ai_items';
    const { rows } = await sql<{ rights: unknown[] }>`
      SELECT json_build_array(r.name, has_table_privilege(r.name, ${view}, 'SELECT'),
               has_column_privilege(r.name, ${view}, 'embedding_model', 'SELECT'),
               has_column_privilege(r.name, ${view}, 'embedding_updated_at', 'SELECT'),
               has_column_privilege(r.name, ${view}, 'embedding', 'SELECT WITH GRANT OPTION'),
               has_function_privilege(r.name, f.oid, 'EXECUTE')) AS rights
        FROM unnest(ARRAY['half_reader', 'Half of them']) WITH ORDINALITY AS r (name, place),
             (SELECT oid FROM pg_proc WHERE proname = 'search_ai_items') AS f ORDER BY r.place`.execute(
      db.kysely,
    );
    return rows.map(({ rights }) => rights);
  }

  it('is not made while something depends on the view, which is named', async () => {
    await createSourceTable(db);
    await ensureSpaces(db, buildConfig([buildSourceConfig()]));
    await sql`CREATE VIEW public.recent AS SELECT id, embedding FROM embeddings.ai_items`.execute(db.kysely);

    const making = ensureSpaces(db, buildConfig([buildSourceConfig({ storage: 'halfvec' })]));

    await expect(making).rejects.toThrow('keeps it for view public.recent. Nothing was changed');
    const { rows } = await sql`SELECT status FROM freshet.spaces`.execute(db.kysely);
    expect(rows).toEqual([{ status: 'active' }]);
    expect(await columnTypes('embeddings.ai_items')).toContain('embedding vector');
  });

  it('has an index of its own operators, which the doctor names', async () => {
    await createSourceTable(db);
    const [space] = await ensureSpaces(db, buildConfig([buildSourceConfig({ storage: 'halfvec' })]));
    await sql`INSERT INTO ${sql.id('freshet', space!.vectorTable)} (item_id, outcome, read_at, embedding, embedded_at)
      SELECT n, 'embedded', now(), ARRAY[n, 1, 1]::real[]::halfvec, now() FROM generate_series(1, 10001) AS n`.execute(
      db.kysely,
    );

    const [finding] = await inspectVectors(db, space!.source);

    expect(finding?.statement).toBe(
      `CREATE INDEX CONCURRENTLY ON "freshet"."${space?.vectorTable}" USING hnsw (embedding halfvec_cosine_ops) WITH (ef_construction = 200);`,
    );
    // Of the table that stands, whatever the configuration asks for by now.
    const { storage: _, ...source } = space!.source;
    expect((await inspectVectors(db, source))[0]?.statement).toBe(finding?.statement);
  });

  async function columnTypes(relation: string): Promise<string[]> {
    const { rows } = await sql<{ column: string }>`
      SELECT attname || ' ' || format_type(atttypid, atttypmod) AS column FROM pg_attribute
       WHERE attrelid = ${relation}::text::regclass AND attnum > 0`.execute(db.kysely);
    return rows.map(({ column }) => column);
  }
});

describe('a run into a space of half floats', () => {
  it('embeds, copies, touches and finds rows', async () => {
    const opened = await openTestWorkspace({
      sources: [
        {
          ...{ name: 'notes', table: 'notes', text: { columns: ['title'] } },
          ...{ model: 'static', storage: 'halfvec' },
        },
      ],
    });
    const { database, run, search } = opened;
    try {
      await sql`CREATE TABLE public.notes (id bigint PRIMARY KEY, title text,
        updated_at timestamptz NOT NULL DEFAULT now())`.execute(database.kysely);
      await sql`INSERT INTO public.notes VALUES (1, 'a quiet harbour'), (2, 'a loud engine'), (3, 'a quiet harbour'), (4, ' ')`.execute(
        database.kysely,
      );

      expect(await run()).toMatchObject({ embedded: 3, excluded: 1, failed: 0 });
      await sql`INSERT INTO public.notes VALUES (5, 'a loud engine')`.execute(database.kysely);
      await sql`UPDATE public.notes SET updated_at = now() WHERE id = 1`.execute(database.kysely);
      expect(await run()).toMatchObject({ embedded: 0, copied: 1, touched: 1 });

      const { hits } = await search('a port where ships lie', 'notes');
      expect(hits.slice(0, 2).map(({ id }) => id)).toEqual(['1', '3']);
      const { rows } =
        await sql`SELECT DISTINCT pg_typeof(embedding)::text AS type FROM embeddings.notes`.execute(
          database.kysely,
        );
      expect(rows).toEqual([{ type: 'halfvec' }]);
    } finally {
      await opened.close();
    }
  });
});
