import { sql } from 'kysely';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { nameAsked, type SqlDatabase } from '../../lib/adapters/sql/database.ts';
import { ensureSpaces } from '../../lib/adapters/sql/ensure-spaces.ts';
import { openSpaces } from '../../lib/adapters/sql/open-spaces.ts';
import type { ReplacedSpace } from '../../lib/adapters/sql/replaced-spaces.ts';
import type { Space } from '../../lib/core/model.ts';
import { buildConfig, buildModel, buildSourceConfig } from '../factories/pipeline-config.ts';
import { createSourceTable } from './open-space.ts';
import { openTestDatabase } from './open-test-database.ts';

let db: SqlDatabase;
beforeEach(async () => {
  db = await openTestDatabase();
});
afterEach(() => db.close());

async function statuses(): Promise<string[]> {
  const rows = await db.kysely
    .selectFrom('freshet.spaces')
    .select(['space_id', 'model_alias', 'status'])
    .orderBy('space_id')
    .execute();
  return rows.map(row => `${row.model_alias} ${row.status}`);
}

/** Stores an outcome row with a vector for each of the first keys. */
async function storeVectors(space: Space | undefined, count: number): Promise<void> {
  await sql`INSERT INTO ${sql.id('freshet', space?.vectorTable ?? '')}
      (item_id, outcome, read_at, embedding, embedded_at)
    SELECT key, 'embedded', now(), '[1,0,0]', now() FROM generate_series(1, ${count}::int) key`.execute(
    db.kysely,
  );
}

async function viewColumns(schema: string, view: string): Promise<string[]> {
  const found = await sql<{ name: string; type: string }>`
    SELECT a.attname::text AS name, format_type(a.atttypid, a.atttypmod) AS type
      FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname = ${schema} AND c.relname = ${view} AND a.attnum > 0 ORDER BY a.attnum`.execute(
    db.kysely,
  );
  return found.rows.map(row => `${row.name} ${row.type}`);
}

describe('ensureSpaces', () => {
  it('makes one space per source and model, and the view of the first model', async () => {
    await createSourceTable(db);
    const config = buildConfig(
      [buildSourceConfig({ models: ['small', 'large'] })],
      [buildModel(), buildModel({ alias: 'large', dimensions: 5 })],
    );

    const spaces = await ensureSpaces(db, config);

    expect(spaces.map(space => [space.model.alias, space.status, space.vectorTable])).toEqual([
      ['small', 'active', `vectors_${spaces[0]?.spaceId}`],
      ['large', 'building', `vectors_${spaces[1]?.spaceId}`],
    ]);
    expect(await viewColumns('embeddings', 'ai_items')).toEqual([
      'id bigint',
      'embedding vector',
      'embedding_model text',
      'embedding_updated_at timestamp with time zone',
    ]);
    const positions = await db.kysely.selectFrom('freshet.positions').selectAll().execute();
    expect(positions.map(position => position.watermark)).toEqual([null, null]);
  });

  it('changes nothing the second time', async () => {
    await createSourceTable(db);
    const first = await ensureSpaces(db, buildConfig());
    const rows = await sql`SELECT *, xmin::text AS x FROM freshet.spaces`.execute(db.kysely);

    const second = await ensureSpaces(db, buildConfig());

    expect(second).toEqual(first);
    expect((await sql`SELECT *, xmin::text AS x FROM freshet.spaces`.execute(db.kysely)).rows).toEqual(
      rows.rows,
    );
  });

  it('updates nothing the second time, so that a run with nothing to do asks less', async () => {
    await createSourceTable(db);
    await ensureSpaces(db, buildConfig());
    const kinds: string[] = [];
    const watched = db.kysely.withPlugin({
      transformQuery: ({ node }) => {
        kinds.push(node.kind);
        return node;
      },
      transformResult: async ({ result }) => result,
    });

    await ensureSpaces({ ...db, kysely: watched }, buildConfig());

    expect(kinds).toContain('SelectQueryNode');
    expect(kinds).not.toContain('UpdateQueryNode');
  });

  it('starts a new space for changed dimensions, keeps the former vectors and points the view at the new one', async () => {
    await createSourceTable(db);
    const [former] = await ensureSpaces(db, buildConfig());
    await storeVectors(former, 1);

    await ensureSpaces(
      db,
      buildConfig([buildSourceConfig()], [buildModel({ dimensions: 4, revision: '2' })]),
    );

    expect(await statuses()).toEqual(['small retired', 'small active']);
    expect((await sql`SELECT * FROM embeddings.ai_items`.execute(db.kysely)).rows).toEqual([]);
    const kept = await sql`SELECT * FROM ${sql.id('freshet', former?.vectorTable ?? '')}`.execute(db.kysely);
    expect(kept.rows).toHaveLength(1);
  });

  it('tells which source loses vectors from its searches, and of none where the new space was filled first', async () => {
    await createSourceTable(db);
    const both = (models: readonly string[]) =>
      buildConfig([buildSourceConfig({ models })], [buildModel(), buildModel({ alias: 'large' })]);
    const replaced: ReplacedSpace[] = [];
    const onReplaced = (space: ReplacedSpace) => void replaced.push(space);
    const [former, next] = await ensureSpaces(db, both(['small', 'large']), { onReplaced });
    await storeVectors(former, 2);
    await ensureSpaces(db, both(['small', 'large']), { onReplaced });
    expect(replaced).toEqual([]);

    await ensureSpaces(db, both(['large']), { onReplaced });

    expect(replaced).toEqual([{ source: 'ai_items', model: 'large', vectors: 0, formerVectors: 2 }]);
    await ensureSpaces(db, both(['small']));
    await storeVectors(next, 2);
    await ensureSpaces(db, both(['large', 'small']), { onReplaced });
    expect(replaced).toHaveLength(1);
  });

  it('goes on with a retired space when the configuration returns to it', async () => {
    await createSourceTable(db);
    const [first] = await ensureSpaces(db, buildConfig());
    await ensureSpaces(
      db,
      buildConfig([buildSourceConfig()], [buildModel({ dimensions: 4, revision: '2' })]),
    );

    const [again] = await ensureSpaces(db, buildConfig());

    expect(again?.spaceId).toBe(first?.spaceId);
    expect(await statuses()).toEqual(['small active', 'small retired']);
  });

  it('names the key in the view as the table does and renames it with the table', async () => {
    await createSourceTable(db, { key: 'Item "Id"', keyType: 'uuid' });
    await ensureSpaces(db, buildConfig());
    await sql`ALTER TABLE public.ai_items RENAME COLUMN "Item ""Id""" TO item`.execute(db.kysely);

    await ensureSpaces(db, buildConfig());

    expect((await viewColumns('embeddings', 'ai_items'))[0]).toBe('item uuid');
  });

  it('refuses to replace a relation that it did not make', async () => {
    await createSourceTable(db);
    await sql`CREATE SCHEMA embeddings`.execute(db.kysely);
    await sql`CREATE VIEW embeddings.ai_items AS SELECT 1 AS one`.execute(db.kysely);

    await expect(ensureSpaces(db, buildConfig())).rejects.toThrow(/was not made by Freshet/);
  });

  it('keeps keys of the column’s own type and collation', async () => {
    await createSourceTable(db, { keyType: 'varchar(20) COLLATE "C"' });

    const [space] = await ensureSpaces(db, buildConfig());

    const column = await sql<{ type: string; collation: string }>`
      SELECT format_type(a.atttypid, a.atttypmod) AS type, c.collname::text AS collation
        FROM pg_attribute a JOIN pg_collation c ON c.oid = a.attcollation
       WHERE a.attname = 'item_id'
         AND a.attrelid = to_regclass(${`freshet.${space?.vectorTable}`})`.execute(db.kysely);
    expect(column.rows).toEqual([{ type: 'character varying(20)', collation: 'C' }]);
  });

  it('leaves a table that was swapped or whose types changed to detect, until somebody adopts it', async () => {
    await createSourceTable(db, { keyType: 'integer' });
    const [before] = await ensureSpaces(db, buildConfig());
    await sql`DROP TABLE public.ai_items`.execute(db.kysely);
    await createSourceTable(db, { keyType: 'integer' });

    const [left] = await ensureSpaces(db, buildConfig());
    const [adopted] = await ensureSpaces(db, buildConfig(), { adopt: true });

    expect(left?.source.tableOid).toBe(before?.source.tableOid);
    expect(adopted?.spaceId).toBe(before?.spaceId);
    expect(adopted?.source.tableOid).not.toBe(before?.source.tableOid);
  });

  it('leaves a view that is right to its owner', async () => {
    await createSourceTable(db);
    await ensureSpaces(db, buildConfig());
    const version = async () =>
      (
        await sql<{ x: string }>`SELECT xmin::text AS x FROM pg_rewrite
         WHERE ev_class = 'embeddings.ai_items'::regclass`.execute(db.kysely)
      ).rows;
    const made = await version();

    await ensureSpaces(db, buildConfig());
    expect(await version()).toEqual(made);
    await ensureSpaces(db, buildConfig([buildSourceConfig()], [buildModel({ revision: '2' })]));
    expect(await version()).not.toEqual(made);
  });

  it('refuses other dimensions of the same model revision where vectors are stored', async () => {
    await createSourceTable(db);
    const [space] = await ensureSpaces(db, buildConfig());
    const wider = buildConfig([buildSourceConfig()], [buildModel({ dimensions: 4 })]);
    await sql`INSERT INTO ${sql.id('freshet', space?.vectorTable ?? '')} (item_id, outcome, read_at, embedding, embedded_at)
      VALUES (1, 'embedded', now(), '[1,0,0]', now())`.execute(db.kysely);

    await expect(ensureSpaces(db, wider)).rejects.toMatchObject({
      message: expect.stringContaining('have 3 dimensions, the configuration says 4'),
      remedy: expect.stringContaining('models.small.dimensions'),
    });
    expect(await statuses()).toEqual(['small active']);
  });

  it('refuses a key whose type changed and says how to go on', async () => {
    await createSourceTable(db, { keyType: 'integer' });
    await ensureSpaces(db, buildConfig());
    await sql`ALTER TABLE public.ai_items ALTER COLUMN id TYPE bigint`.execute(db.kysely);

    const refusal = await ensureSpaces(db, buildConfig(), { adopt: true }).catch(error => error);

    expect(refusal.message).toMatch(/keys of type integer .* the table now has bigint/);
    for (const statement of refusal.remedy.split(/(?<=;) /)) await sql.raw(statement).execute(db.kysely);
    const [space] = await ensureSpaces(db, buildConfig());
    expect(space?.source.keyColumns).toEqual([{ name: 'id', type: 'bigint' }]);
    expect((await viewColumns('embeddings', 'ai_items'))[0]).toBe('id bigint');
  });

  it('does not block the application’s own migrations', async () => {
    await createSourceTable(db);
    await ensureSpaces(db, buildConfig());

    await sql`ALTER TABLE public.ai_items ALTER COLUMN title TYPE varchar(500)`.execute(db.kysely);
    await sql`DROP TABLE public.ai_items`.execute(db.kysely);
  });
});

describe('openSpaces', () => {
  it('finds the spaces of the configuration by id, and not the retired ones', async () => {
    await createSourceTable(db);
    const [former] = await ensureSpaces(db, buildConfig());
    const config = buildConfig([buildSourceConfig()], [buildModel({ dimensions: 4, revision: '2' })]);
    const [current] = await ensureSpaces(db, config);

    const registry = await openSpaces(db, config);

    expect(await registry.list()).toEqual([current]);
    expect(await registry.find(current?.spaceId ?? 0)).toEqual(current);
    expect(await registry.find(former?.spaceId ?? 0)).toBeUndefined();
  });

  it('asks for migrate when a space is missing', async () => {
    await createSourceTable(db);
    await ensureSpaces(db, buildConfig());
    const config = buildConfig([buildSourceConfig({ text: { columns: ['title'] } })]);

    await expect(openSpaces(db, config)).rejects.toMatchObject({ remedy: 'npm run freshet -- migrate' });
  });

  it('warns that migrate takes vectors from searches, and not of a source that is new', async () => {
    await createSourceTable(db);
    await ensureSpaces(db, buildConfig());
    const changed = buildSourceConfig({ text: { columns: ['title'] } });
    const added = buildSourceConfig({ name: 'added' });

    await expect(openSpaces(db, buildConfig([changed]))).rejects.toThrow(/it is empty at first/);
    await expect(openSpaces(db, buildConfig([added]))).rejects.toThrow(/recipe are new\)\.$/);
  });

  it('asks for migrate when there is no schema', async () => {
    await db.close();
    db = await openTestDatabase({ migrated: false });
    await createSourceTable(db);

    await expect(openSpaces(db, buildConfig())).rejects.toMatchObject({
      message: `The database has no schema freshet yet.${nameAsked(db)}`,
      remedy: 'npm run freshet -- migrate',
    });
  });

  it('shows the table as it was when the space was bound to it', async () => {
    await createSourceTable(db);
    const [space] = await ensureSpaces(db, buildConfig());
    await sql`DROP TABLE public.ai_items`.execute(db.kysely);
    await createSourceTable(db);

    const [opened] = await (await openSpaces(db, buildConfig())).list();

    expect(opened?.source.tableOid).toBe(space?.source.tableOid);
  });
});
