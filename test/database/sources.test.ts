import { sql } from 'kysely';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { nameAsked, type SqlDatabase } from '../../lib/adapters/sql/database.ts';
import { listTables } from '../../lib/adapters/sql/list-tables.ts';
import { resolveSource } from '../../lib/adapters/sql/resolve-source.ts';
import type { SourceConfig } from '../../lib/core/config/pipeline-config.ts';
import { UsageError } from '../../lib/core/errors.ts';
import { buildSourceConfig } from '../factories/pipeline-config.ts';
import { createSourceTable } from './open-space.ts';
import { openTestDatabase } from './open-test-database.ts';

let db: SqlDatabase;
beforeEach(async () => {
  db = await openTestDatabase({ migrated: false });
});
afterEach(() => db.close());

const asked = () => nameAsked(db).trim();

async function refusal(changes: Partial<SourceConfig>): Promise<UsageError> {
  const error = await resolveSource(db, buildSourceConfig(changes)).catch(reason => reason);
  expect(error).toBeInstanceOf(UsageError);
  return error as UsageError;
}

describe('resolveSource', () => {
  it('finds the primary key, the types and the array columns', async () => {
    await createSourceTable(db);

    const source = await resolveSource(db, buildSourceConfig(), 5000);

    expect(source).toEqual({
      name: 'ai_items',
      schema: 'public',
      table: 'ai_items',
      tableOid: expect.any(Number),
      keyColumns: [{ name: 'id', type: 'bigint' }],
      versionColumn: 'updated_at',
      versionType: 'timestamp with time zone',
      versionTimeZone: 'UTC',
      textColumns: [
        { name: 'title', isArray: false },
        { name: 'summary', isArray: false },
        { name: 'tags', isArray: true },
      ],
      template: undefined,
      overLimit: 'truncate',
      maxCharacters: 5000,
    });
  });

  it.each([
    ...['bigint', 'integer', 'smallint', 'numeric', 'numeric(12,2)', 'uuid', 'text', 'text COLLATE "C"'],
    ...['varchar', 'varchar(40)', 'name', 'date', 'timestamp', 'timestamptz(3)'],
  ])('takes a key of type %s', async keyType => {
    await createSourceTable(db, { keyType });

    expect((await resolveSource(db, buildSourceConfig())).keyColumns).toMatchObject([{ name: 'id' }]);
  });

  it.each(['boolean', 'char(3)', 'jsonb', 'double precision'])('refuses a key of type %s', async keyType => {
    await createSourceTable(db, { keyType });

    expect((await refusal({})).message).toContain(`is of type`);
    expect((await refusal({})).message).toContain('A key may be bigint, integer, smallint, numeric, uuid,');
  });

  it('takes names with quotes, spaces, capitals, dots and SQL in them', async () => {
    const name = 'My "Items"; DROP TABLE x. --';
    await createSourceTable(db, {
      schema: 'Odd "Schema"',
      name,
      key: 'The Key',
      updatedAt: `it's "changed"`,
    });

    const source = await resolveSource(
      db,
      buildSourceConfig({ table: { schema: 'Odd "Schema"', name }, updatedAt: `it's "changed"` }),
    );

    expect([source.table, source.keyColumns[0]?.name, source.versionColumn]).toEqual([
      name,
      'The Key',
      `it's "changed"`,
    ]);
  });

  it('refuses names with SQL in them that do not exist, and runs nothing', async () => {
    await createSourceTable(db);

    const table = await refusal({ table: { schema: 'public', name: 'x"; DROP TABLE public.ai_items; --' } });
    const column = await refusal({ updatedAt: 'updated_at"; DROP TABLE public.ai_items; --' });

    expect(table.message).toContain('does not exist');
    expect(column.message).toContain('has no column');
    await resolveSource(db, buildSourceConfig());
  });

  it('names the nearest table when there is none of that name', async () => {
    await createSourceTable(db);

    expect((await refusal({ table: 'ai_item' })).message).toBe(
      `Source "ai_items": table "ai_item" does not exist; nearest: "public.ai_items". ${asked()}`,
    );
  });

  it('names the database that was asked for what it does not have', async () => {
    expect((await refusal({ table: 'ai_items' })).message).toBe(
      `Source "ai_items": table "ai_items" does not exist (there is none). ${asked()}`,
    );
    expect(asked()).toMatch(
      process.env.DATABASE_URL === undefined
        ? /^Asked was the embedded database in memory; DATABASE_URL or --database-url names another one\.$/
        : /^Asked was database "freshet_test_\w+" at [\w.]+:\d+\.$/,
    );
    await createSourceTable(db);
    for (const wrong of [
      { key: 'ids' },
      { updatedAt: 'at' },
      { text: { columns: ['titel'] } },
      { table: 'x' },
    ])
      expect((await refusal(wrong)).message).toContain(asked());
  });

  it.each(['embedding', 'embedding_model', 'embedding_updated_at'])(
    'refuses a key that has the name of a column of the view: %s',
    async key => {
      await sql`CREATE TABLE public.named (${sql.id(key)} bigint PRIMARY KEY, title text, updated_at timestamptz)`.execute(
        db.kysely,
      );

      const error = await refusal({ table: 'named', text: { columns: ['title'] } });

      expect(error.message).toContain(`key column "${key}"`);
      expect(error.message).toContain('the view has a column of that name');
      expect(error.remedy).toBe(`ALTER TABLE "public"."named" RENAME COLUMN "${key}" TO "${key}_id";`);
    },
  );

  it('names the table of that name in another schema', async () => {
    await createSourceTable(db, { schema: 'warehouse' });
    await createSourceTable(db, { name: 'other' });

    expect((await refusal({ table: 'ai_items' })).message).toContain('"warehouse.ai_items"');
    expect((await refusal({ table: 'store.AI_Items' })).message).toContain('"warehouse.ai_items"');
  });

  it('names the nearest column when there is none of that name', async () => {
    await createSourceTable(db);

    expect((await refusal({ updatedAt: 'updatedAt' })).message).toBe(
      `Source "ai_items": table "public"."ai_items" has no column "updatedAt"; nearest: "updated_at". ${asked()}`,
    );
    expect((await refusal({ text: { columns: ['titel'] } })).message).toContain('nearest: "title"');
    expect((await refusal({ key: 'ID' })).message).toContain('nearest: "id"');
  });

  it('refuses a table in three parts and says how to write it', async () => {
    expect((await refusal({ table: 'a.b.c' })).message).toContain("table: { schema: '…', name: '…' }");
  });

  it('takes a view with a key, and refuses a materialized one', async () => {
    await createSourceTable(db);
    await sql`CREATE VIEW public.items_view AS SELECT * FROM public.ai_items`.execute(db.kysely);

    await sql`CREATE MATERIALIZED VIEW public.items_kept AS SELECT * FROM public.ai_items`.execute(db.kysely);

    expect((await refusal({ table: 'items_view' })).message).toMatch(
      /view "public"\."items_view" has no primary key\. Name the columns/,
    );
    expect(await resolveSource(db, buildSourceConfig({ table: 'items_view', key: 'id' }))).toMatchObject({
      relation: 'view',
    });
    expect((await refusal({ table: 'items_kept' })).message).toMatch(
      /is a materialized view\. A source is a table, a view or a foreign table/,
    );
  });

  it('takes a partitioned table', async () => {
    await sql`CREATE TABLE public.parted (id bigint PRIMARY KEY, title text, updated_at timestamptz)
      PARTITION BY RANGE (id)`.execute(db.kysely);

    const source = await resolveSource(
      db,
      buildSourceConfig({ table: 'parted', text: { columns: ['title'] } }),
    );

    expect(source.keyColumns).toEqual([{ name: 'id', type: 'bigint' }]);
  });

  it('takes a primary key of several columns, or the unique columns that are named instead', async () => {
    await sql`CREATE TABLE public.pairs (a bigint, b bigint, u uuid NOT NULL UNIQUE, n integer UNIQUE, plain text NOT NULL,
      title text, updated_at timestamptz, PRIMARY KEY (a, b))`.execute(db.kysely);
    const config = { table: 'pairs', text: { columns: ['title'] } };

    const keyOf = async (key?: SourceConfig['key']) =>
      (await resolveSource(db, buildSourceConfig({ ...config, key }))).keyColumns;
    expect(await keyOf()).toEqual([
      { name: 'a', type: 'bigint' },
      { name: 'b', type: 'bigint' },
    ]);
    expect(await keyOf(['a', 'b'])).toEqual(await keyOf());
    expect((await refusal({ ...config, key: ['b', 'a'] })).message).toContain(
      "Name them in the order of the index: key: ['a', 'b'].",
    );
    expect((await refusal({ ...config, key: ['a', 'u'] })).remedy).toBe(
      'CREATE UNIQUE INDEX CONCURRENTLY ON "public"."pairs" ("a", "u");',
    );
    expect((await refusal({ ...config, key: 'n' })).remedy).toBe(
      'ALTER TABLE "public"."pairs" ALTER COLUMN "n" SET NOT NULL;',
    );
    expect((await refusal({ ...config, key: 'plain' })).remedy).toBe(
      'CREATE UNIQUE INDEX CONCURRENTLY ON "public"."pairs" ("plain");',
    );
    expect(await keyOf('u')).toEqual([{ name: 'u', type: 'uuid' }]);
  });

  it('takes a primary key that is checked when a transaction ends', async () => {
    await createSourceTable(db);
    await sql`ALTER TABLE public.ai_items DROP CONSTRAINT ai_items_pkey,
      ADD PRIMARY KEY (id) DEFERRABLE INITIALLY DEFERRED`.execute(db.kysely);

    expect((await resolveSource(db, buildSourceConfig())).keyColumns).toEqual([
      { name: 'id', type: 'bigint' },
    ]);
    const [listed] = await listTables(db);
    expect(listed?.uniqueIndexes).toEqual([{ isPrimary: true, columns: ['id'] }]);
  });

  it('refuses a primary key of five columns', async () => {
    await sql`CREATE TABLE public.wide (a int, b int, c int, d int, e int, title text, updated_at timestamptz,
      PRIMARY KEY (a, b, c, d, e))`.execute(db.kysely);

    const { message } = await refusal({ table: 'wide', text: { columns: ['title'] } });

    expect(message).toContain('has a primary key of 5 columns ("a", "b", "c", "d", "e"); a key may have 4');
  });

  it('refuses part of a partitioned table’s key with a remedy that is true', async () => {
    await sql`CREATE TABLE public.parts (id bigint NOT NULL, created_at timestamptz NOT NULL, title text,
      updated_at timestamptz) PARTITION BY RANGE (created_at)`.execute(db.kysely);
    const config = { table: 'parts', text: { columns: ['title'] } };

    const refused = await refusal({ ...config, key: 'id' });

    expect(refused.message).toContain(
      'a unique index of a partitioned table has to contain its partition key',
    );
    await sql.raw(refused.remedy ?? '').execute(db.kysely);
    const again = await refusal({ ...config, key: 'id' });
    expect(again.message).toContain("Name the whole key: key: ['id', 'created_at'].");
    expect(again.remedy).toBeUndefined();
    const source = await resolveSource(db, buildSourceConfig({ ...config, key: ['id', 'created_at'] }));
    expect(source.keyColumns.map(({ type }) => type)).toEqual(['bigint', 'timestamp with time zone']);
  });

  it('refuses a table without a primary key, and a unique index over some rows only', async () => {
    await sql`CREATE TABLE public.bare (id bigint NOT NULL, title text, updated_at timestamptz)`.execute(
      db.kysely,
    );
    await sql`CREATE UNIQUE INDEX ON public.bare (id) WHERE title IS NOT NULL`.execute(db.kysely);
    const config = { table: 'bare', text: { columns: ['title'] } };

    expect((await refusal(config)).message).toContain('has no primary key');
    expect((await refusal({ ...config, key: 'id' })).message).toContain('is not unique');
  });

  it('asks for the zone of a timestamp without time zone, and checks it', async () => {
    await createSourceTable(db, { updatedAtType: 'timestamp(0)' });

    expect((await refusal({})).message).toContain("timeZone: 'UTC'");
    expect((await refusal({ timeZone: 'Europe/Berlim' })).message).toContain('nearest: "Europe/Berlin"');
    const source = await resolveSource(db, buildSourceConfig({ timeZone: 'europe/berlin' }));
    expect([source.versionType, source.versionTimeZone]).toEqual([
      'timestamp without time zone',
      'Europe/Berlin',
    ]);
  });

  it('refuses an updatedAt of a type that no version has', async () => {
    await createSourceTable(db, { updatedAtType: 'text' });

    expect((await refusal({})).message).toContain('is of type text. It must be timestamptz, bigint, or');
  });

  it.each(['bytea', 'vector(3)'])('refuses to read text from a column of type %s', async type => {
    await createSourceTable(db);
    await sql`ALTER TABLE public.ai_items ADD COLUMN other ${sql.raw(type)}`.execute(db.kysely);

    expect((await refusal({ text: { columns: ['other'] } })).message).toContain('holds no text');
  });

  describe('for a role with few rights', () => {
    const role = 'freshet_test_reader';
    afterEach(async () => {
      await sql`RESET ROLE`.execute(db.kysely);
      await sql`DROP OWNED BY ${sql.id(role)}`.execute(db.kysely);
      await sql`DROP ROLE ${sql.id(role)}`.execute(db.kysely);
    });

    async function asReader<T>(work: (reader: SqlDatabase) => Promise<T>): Promise<T> {
      return db.kysely.connection().execute(async connection => {
        await sql`SET ROLE ${sql.id(role)}`.execute(connection);
        try {
          return await work({ ...db, kysely: connection });
        } finally {
          await sql`RESET ROLE`.execute(connection);
        }
      });
    }

    it('names the grants that are missing, and they suffice', async () => {
      await createSourceTable(db, { schema: 'private' });
      await sql`CREATE ROLE ${sql.id(role)}`.execute(db.kysely);
      const config = buildSourceConfig({ table: 'private.ai_items' });

      const error = await asReader(reader => resolveSource(reader, config).catch(reason => reason));

      expect(error.remedy).toBe(
        `GRANT USAGE ON SCHEMA "private" TO "${role}"; GRANT SELECT ON "private"."ai_items" TO "${role}";`,
      );
      for (const statement of error.remedy.split(/(?<=;) /)) await sql.raw(statement).execute(db.kysely);
      await asReader(reader => resolveSource(reader, config));
    });

    it('takes SELECT on each column and xmin instead of the table', async () => {
      await createSourceTable(db);
      await sql`CREATE ROLE ${sql.id(role)}`.execute(db.kysely);
      await sql`GRANT SELECT (id, title, summary, tags, updated_at) ON public.ai_items TO ${sql.id(role)}`.execute(
        db.kysely,
      );
      const without = await asReader(reader =>
        resolveSource(reader, buildSourceConfig()).catch(reason => reason),
      );
      await sql`GRANT SELECT (xmin) ON public.ai_items TO ${sql.id(role)}`.execute(db.kysely);

      await asReader(reader => resolveSource(reader, buildSourceConfig()));

      expect(without).toBeInstanceOf(UsageError);
      const rows = asReader(reader => sql`SELECT id, xmin FROM public.ai_items`.execute(reader.kysely));
      expect((await rows).rows).toEqual([]);
    });
  });
});
