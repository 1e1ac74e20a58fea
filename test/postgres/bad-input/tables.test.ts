import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { onServer } from '../../database/on-server.ts';
import {
  CANARY,
  createItems,
  embedded,
  itemsSource,
  openWorkbench,
  urlOf,
  type Workbench,
} from './open-workbench.ts';

let bench: Workbench;
beforeEach(async () => {
  bench = await openWorkbench();
});
afterEach(() => bench.close());

describe('table or column not there, no primary key, no permission', () => {
  it.each([
    [{ table: 'itemz' }, 'table "itemz" does not exist', 'public.items'],
    [{ table: 'itemz' }, 'Asked was database "freshet_test_', '" at '],
    [
      { table: 'named' },
      'key column "embedding" cannot stand beside the vectors',
      'RENAME COLUMN "embedding"',
    ],
    [{ table: 'other.items' }, 'table "other.items" does not exist', 'public.items'],
    [{ text: { columns: ['bodi'] } }, 'has no column "bodi"', '"body"'],
    [{ updatedAt: 'updated' }, 'has no column "updated"', '"updated_at"'],
    [{ key: 'ids' }, 'has no key column "ids"', '"id"'],
    [{ key: 'body' }, 'key column "body" is not unique', 'CREATE UNIQUE INDEX CONCURRENTLY'],
    [{ table: 'keyless' }, 'table "public"."keyless" has no primary key', "key: '…'"],
    [
      { table: 'shown' },
      'view "public"."shown" has no primary key',
      'Name the columns that tell its rows apart',
    ],
  ])('refuses %j before any call, by its name and with what exists', async (source, message, remedy) => {
    await createItems(bench, [CANARY]);
    await bench.query('CREATE TABLE keyless (id bigint, body text, updated_at timestamptz)');
    await bench.query('CREATE VIEW shown AS SELECT * FROM items');
    await bench.query('CREATE TABLE named (embedding bigint PRIMARY KEY, body text, updated_at timestamptz)');
    bench.configure({ sources: [itemsSource(source)] });

    const run = await bench.run();

    expect(run.errors).toContain(message);
    expect(run.errors).toContain(remedy);
    expect(run.code).toBe(2);
    expect(bench.server.callCount).toBe(0);
  });

  it('refuses the wrong one of two sources before the right one is begun', async () => {
    await createItems(bench, [CANARY]);
    bench.configure({ sources: [itemsSource(), itemsSource({ name: 'more', table: 'itemz' })] });

    const run = await bench.run();

    expect(run).toMatchObject({ code: 2, error: { message: expect.stringContaining('table "itemz"') } });
    expect(bench.server.callCount).toBe(0);
  });

  it('names each GRANT that is missing, and they suffice', async () => {
    await bench.query('CREATE SCHEMA shop');
    await createItems(bench, [CANARY], { table: 'shop.items' });
    bench.configure({ sources: [itemsSource({ table: 'shop.items' })] });
    const { url } = await bench.createRole();

    const granted = await grantUntilItRuns(url);

    expect(granted.join('\n')).toMatch(/GRANT CREATE ON DATABASE/);
    expect(granted.join('\n')).toMatch(/GRANT USAGE ON SCHEMA "shop"/);
    expect(granted.join('\n')).toMatch(/GRANT SELECT ON "shop"."items"/);
    expect(await bench.stored()).toEqual([embedded(1, CANARY)]);
  });

  it('names the GRANTs of a role that runs what another role migrated', async () => {
    await createItems(bench, [CANARY]);
    bench.configure({});
    expect((await bench.cli('migrate')).code).toBe(0);
    const { role, url } = await bench.createRole();
    await bench.query(`GRANT SELECT ON items TO ${role}`);

    const granted = await grantUntilItRuns(url);

    expect(granted.join('\n')).toMatch(/GRANT USAGE ON SCHEMA freshet/);
    expect(granted.join('\n')).toMatch(
      /GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA freshet/,
    );
    expect(await bench.stored()).toEqual([embedded(1, CANARY)]);
    for (const command of ['status', 'doctor', 'failures'])
      expect((await bench.start([command], { DATABASE_URL: url }).ended).code).toBe(0);
  });

  it.each(['status', 'doctor', 'failures', 'retry', 'migrate'])('says so in %s as well', async command => {
    await createItems(bench, [CANARY]);
    bench.configure({});
    expect((await bench.cli('migrate')).code).toBe(0);
    const { role, url } = await bench.createRole();
    await bench.query(`GRANT SELECT ON items TO ${role}`);

    const result = await bench.start([command], { DATABASE_URL: url }).ended;

    expect(result.output + result.errors).toContain('GRANT USAGE ON SCHEMA freshet');
    expect(result.code).toBe(command === 'doctor' ? 1 : 2);
  });

  /** Runs as a role, gives it as its administrator what the refusal names, and so on. */
  async function grantUntilItRuns(url: string): Promise<string[]> {
    const granted: string[] = [];
    for (let round = 0; round < 8; round += 1) {
      const calls = bench.server.callCount;
      const result = await bench.start(['run', '--json'], { DATABASE_URL: url }).ended;
      if (result.code === 0) return granted;
      expect(result).toMatchObject({ code: 2 });
      expect(bench.server.callCount).toBe(calls);
      const { error } = JSON.parse(result.output) as { error: { message: string; remedy: string } };
      expect(error, error.message).toMatchObject({ remedy: expect.stringMatching(/^GRANT /) });
      await onServer(urlOf({ database: bench.database }), error.remedy);
      granted.push(error.remedy);
    }
    throw new Error(`not enough: ${granted.join(' ')}`);
  }
});

describe('identifiers with quotes, spaces, capitals, SQL in them', () => {
  const schema = 'My "Schema"';
  const table = `Robert'); DROP TABLE items;--`;
  const names = {
    name: `it"ems'; DROP TABLE items; --`,
    table: { schema, name: table },
    key: 'Id; SELECT 1',
    updatedAt: 'Updated "At"',
    model: 'tiny',
    text: { columns: ['Te xt', `bo'dy.{x}`], template: 'A {Te xt}' },
  };

  it('work if they exist, and are not executed', async () => {
    await createItems(bench, []);
    await bench.query(`CREATE SCHEMA "My ""Schema"""`);
    await bench.query(`CREATE TABLE "My ""Schema"""."Robert'); DROP TABLE items;--"
      ("Id; SELECT 1" text PRIMARY KEY, "Te xt" text, "bo'dy.{x}" text[], "Updated ""At""" timestamptz DEFAULT now())`);
    const key = `'; DROP TABLE items; -- {"a",\\}`;
    await bench.query(`INSERT INTO "My ""Schema"""."Robert'); DROP TABLE items;--" VALUES ($1, $2)`, [
      key,
      CANARY,
    ]);
    bench.configure({ sources: [names] });

    const run = await bench.run();
    const doctor = await bench.cli('doctor');

    expect(run.error).toBeUndefined();
    expect(run).toMatchObject({ code: 0, embedded: 1 });
    expect(doctor.code).toBe(0);
    const found = await bench.query(
      `SELECT "Id; SELECT 1" AS id FROM embeddings."it""ems'; DROP TABLE items; --"`,
    );
    expect(found).toEqual([{ id: key }]);
    expect(await bench.stored(names.name)).toEqual([embedded(key, `A ${CANARY}`)]);
    expect(await bench.query('SELECT FROM items')).toEqual([]);
  });

  it.each([
    ['item_id', 'read_at', ['embedding', 'embedding_model', 'content_hash']],
    ['id', 'source_version', ['id', 'version', 'source_version', 'key', 'xid', 'ctid_']],
    ['chunk', 'at', ['v', 's', 'l', 'text', 'outcome', 'body']],
  ])(
    'work where they are the names of Freshet’s own columns: %s, %s, %j',
    async (key, updatedAt, columns) => {
      const texts = columns.filter(name => name !== key && name !== updatedAt);
      await bench.query(`CREATE TABLE items ("${key}" bigint PRIMARY KEY, "${updatedAt}" timestamptz DEFAULT now(),
      ${texts.map(name => `"${name}" text DEFAULT '${CANARY}'`).join(', ')})`);
      await bench.query(`INSERT INTO items ("${key}") VALUES (1), (2)`);
      bench.configure({ sources: [itemsSource({ updatedAt, text: { columns } })] });

      expect(await bench.run()).toMatchObject({ code: 0, failed: 0 });
      expect((await bench.cli('doctor')).code).toBe(0);
      expect(await bench.query(`SELECT "${key}"::int AS key FROM embeddings.items ORDER BY 1`)).toEqual([
        { key: 1 },
        { key: 2 },
      ]);
    },
  );

  it.each([
    [{ table: { schema: 'public', name: 'items"; DROP TABLE items; --' } }, 'items"; DROP TABLE items; --'],
    [{ text: { columns: ['body); DROP TABLE items; --'] } }, 'body); DROP TABLE items; --'],
    [{ key: "id' OR true --" }, "id' OR true --"],
    [{ updatedAt: 'now(); DROP TABLE items' }, 'now(); DROP TABLE items'],
    [{ table: 'Items' }, 'Items'],
  ])('are refused by name where they do not exist: %j', async (source, name) => {
    await createItems(bench, [CANARY]);
    bench.configure({ sources: [itemsSource(source)] });

    const run = await bench.run();

    expect(run.code).toBe(2);
    expect(run.error?.message).toContain(name);
    expect(bench.server.callCount).toBe(0);
    expect(await bench.query('SELECT FROM items')).toHaveLength(1);
  });
});
