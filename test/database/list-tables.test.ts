import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { SqlDatabase } from '../../lib/adapters/sql/database.ts';
import { listTables, measureTexts } from '../../lib/adapters/sql/list-tables.ts';
import { resolveSource } from '../../lib/adapters/sql/resolve-source.ts';
import { judgeTable } from '../../lib/core/config/judge-tables.ts';
import { buildSourceConfig } from '../factories/pipeline-config.ts';
import { openTestDatabase } from './open-test-database.ts';

let db: SqlDatabase;
beforeAll(async () => {
  db = await openTestDatabase();
  for (const statement of [
    `CREATE TABLE public.articles (id bigint PRIMARY KEY, title varchar(80), tags text[], price numeric,
       embedding public.vector(3), code uuid NOT NULL UNIQUE DEFAULT gen_random_uuid(), updated_at timestamptz)`,
    'CREATE UNIQUE INDEX ON public.articles (title) WHERE price > 0',
    'CREATE UNIQUE INDEX ON public.articles (lower(title))',
    `CREATE TABLE public.parted (id bigint, body text, updated_at timestamptz, PRIMARY KEY (id))
       PARTITION BY RANGE (id)`,
    'CREATE TABLE public.parted_1 PARTITION OF public.parted FOR VALUES FROM (0) TO (100)',
    'CREATE SCHEMA "S "',
    'CREATE TABLE "S "."a""b" (id int PRIMARY KEY, "x;y" text, gone text, updated_at timestamptz)',
    'ALTER TABLE "S "."a""b" DROP COLUMN gone',
    'CREATE VIEW public.seen AS SELECT * FROM public.articles',
    'CREATE TEMPORARY TABLE passing (id int PRIMARY KEY, body text, updated_at timestamptz)',
  ])
    await sql.raw(statement).execute(db.kysely);
});
afterAll(() => db.close());

describe('the tables of a database', () => {
  test('are those of the application, without partitions, temporary tables and our own', async () => {
    const tables = await listTables(db);

    expect(tables.map(({ schema, name }) => [schema, name])).toEqual([
      ['S ', 'a"b'],
      ['public', 'articles'],
      ['public', 'parted'],
      ['public', 'seen'],
    ]);
    expect(tables.map(({ relation }) => relation)).toEqual([undefined, undefined, undefined, 'view']);
    expect(tables.map(({ quotedName }) => quotedName)[0]).toBe('"S "."a""b"');
    expect(tables.map(({ missingGrants }) => missingGrants)).toEqual([[], [], [], []]);
  });

  test('have the columns that are there, with what decides of them', async () => {
    const [odd, articles] = await listTables(db);

    expect(odd!.columns.map(({ name }) => name)).toEqual(['id', 'x;y', 'updated_at']);
    expect(articles!.columns).toMatchObject([
      { name: 'id', baseType: 'bigint', notNull: true, isString: false },
      { name: 'title', type: 'character varying(80)', baseType: 'character varying', isString: true },
      { name: 'tags', elementType: 'text', isString: true },
      { name: 'price', isString: false, notNull: false },
      { name: 'embedding', isString: false },
      { name: 'code', baseType: 'uuid' },
      { name: 'updated_at', baseType: 'timestamp with time zone', elementType: null },
    ]);
  });

  test('have the unique indexes that can stand for a key, and no partial one or one of expressions', async () => {
    const [, articles, parted] = await listTables(db);

    expect(articles!.uniqueIndexes).toEqual([
      { isPrimary: true, columns: ['id'] },
      { isPrimary: false, columns: ['code'] },
    ]);
    expect(parted!.uniqueIndexes).toEqual([{ isPrimary: true, columns: ['id'] }]);
  });

  test('are judged as a run resolves them: what is proposed can be a source', async () => {
    for (const table of (await listTables(db)).filter(({ relation }) => relation === undefined)) {
      const { choices, faults } = judgeTable(table, {});
      expect(faults).toEqual([]);
      const [key] = choices.keys;
      const source = await resolveSource(
        db,
        buildSourceConfig({
          name: table.name,
          table: { schema: table.schema, name: table.name },
          key: key![0],
          updatedAt: choices.versions[0]!.name,
          text: { columns: choices.texts },
        }),
      );
      expect(source).toMatchObject({ schema: table.schema, table: table.name });
    }
  });
});

describe('the measure of the texts', () => {
  const measure = async (columns: readonly string[]) => {
    const config = buildSourceConfig({ name: 'articles', table: 'public.articles', text: { columns } });
    return measureTexts(db, await resolveSource(db, config));
  };

  test('counts rows, and the characters and bytes of a mean row without what is NULL', async () => {
    expect(await measure(['title'])).toEqual({
      ...{ rows: 0, texts: 0, empty: 0, isCounted: true, characters: 0, bytes: 0 },
    });

    await sql`INSERT INTO public.articles (id, title, tags) VALUES (1, 'gräber', '{a,b}'), (2, NULL, '{}')`.execute(
      db.kysely,
    );
    // "gräber\na, b" and "".
    expect(await measure(['title', 'tags'])).toEqual({
      ...{ rows: 2, texts: 1, empty: 1, isCounted: true, characters: 11, bytes: 12 },
    });
  });

  test('counts equal texts once', async () => {
    await sql`INSERT INTO public.articles (id, title, tags) VALUES (-1, 'x', '{same}'), (-2, 'y', '{same}'), (-3, 'z', '{another}')`.execute(
      db.kysely,
    );

    // With the two rows above, of which one has no tags.
    expect(await measure(['tags'])).toMatchObject({ rows: 5, texts: 3, empty: 1 });
  });

  test('takes the planner’s estimate of a large table', async () => {
    await sql`INSERT INTO public.articles (id, title)
      SELECT n, 'word ' || n FROM generate_series(10, 100100) AS n`.execute(db.kysely);
    await sql`ANALYZE public.articles`.execute(db.kysely);

    const measured = await measure(['title']);
    expect(measured).toMatchObject({ isCounted: false });
    expect(measured.rows).toBeGreaterThanOrEqual(100_000);
    expect(measured.rows).toBeLessThan(110_000);
  });
});
