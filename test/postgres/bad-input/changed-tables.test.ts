import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readObject } from '../../bin/run-cli.ts';
import {
  CANARY,
  createItems,
  embedded,
  itemsSource,
  openWorkbench,
  type Workbench,
} from './open-workbench.ts';

let bench: Workbench;
beforeEach(async () => {
  bench = await openWorkbench();
});
afterEach(() => bench.close());

const text = (name: string, id: number) => `${CANARY} ${name} ${id}`;
const numbered = (name: string, count = 5) =>
  Array.from({ length: count }, (_, place) => text(name, place + 1));

async function openTwoSources(): Promise<void> {
  await createItems(bench, numbered('items'));
  await createItems(bench, numbered('others'), { table: 'others' });
  bench.configure({
    sources: [itemsSource(), itemsSource({ name: 'others', table: 'others' })],
    limits: { batchSize: 2, concurrency: 1 },
  });
}

/** As an application migrates: it gives up rather than wait for a lock. */
async function migrateApplication(statements: readonly string[]): Promise<void> {
  const client = await bench.beginTransaction();
  await client.query(`SET LOCAL lock_timeout = '2s'`);
  for (const statement of statements) await client.query(statement);
  await client.commit();
}

async function pauses(): Promise<string[]> {
  const rows = await bench.query<{ scope: string; reason: string }>(
    'SELECT scope, reason FROM freshet.control',
  );
  return rows.map(row => `${row.scope} ${row.reason}`);
}

/** What the application does, the reason that is shown, and what undoes it. */
const changes: readonly (readonly [string, readonly string[], string, readonly string[]])[] = [
  [
    'drops a text column',
    ['ALTER TABLE items RENAME COLUMN body TO gone'],
    'column-missing',
    ['ALTER TABLE items RENAME COLUMN gone TO body'],
  ],
  [
    'drops the updated_at column',
    ['ALTER TABLE items RENAME COLUMN updated_at TO gone'],
    'column-missing',
    ['ALTER TABLE items RENAME COLUMN gone TO updated_at'],
  ],
  [
    'changes the type of the key',
    ['ALTER TABLE items ALTER COLUMN id TYPE text'],
    'column-changed',
    ['ALTER TABLE items ALTER COLUMN id TYPE bigint USING id::bigint'],
  ],
  [
    'changes a text column to an array',
    ['ALTER TABLE items ALTER COLUMN body TYPE text[] USING ARRAY[body]'],
    'column-changed',
    ['ALTER TABLE items ALTER COLUMN body TYPE text USING body[1]'],
  ],
  [
    'renames the table',
    ['ALTER TABLE items RENAME TO gone'],
    'source-missing',
    ['ALTER TABLE gone RENAME TO items'],
  ],
  [
    'swaps the table',
    ['ALTER TABLE items RENAME TO former', 'CREATE TABLE items (LIKE former INCLUDING ALL)'],
    'source-swapped',
    ['DROP TABLE items', 'ALTER TABLE former RENAME TO items'],
  ],
];

describe('the application drops or alters a source column, or swaps the table', () => {
  it.each(changes)(
    'between runs: %s; the source pauses with the reason, the other goes on',
    async (_name, change, code, undo) => {
      await openTwoSources();
      await bench.run();
      await migrateApplication([...change]);
      await bench.query(`INSERT INTO others (id, body) VALUES (6, '${text('others', 6)}')`);

      const paused = await bench.run();

      expect(paused).toMatchObject({
        code: 2,
        embedded: 1,
        error: { message: expect.stringMatching(/^Source "items"/) },
      });
      expect(await pauses()).toEqual([`source:items source-fault:${code}`]);
      expect((await bench.cli('status')).output).toMatch(
        new RegExp(`paused: source:items since .*source-fault:${code} – Source "items"`),
      );
      for (const command of ['failures', 'retry']) expect((await bench.cli(command)).code).toBe(0);
      expect((await bench.stored('others')).at(-1)).toEqual(embedded(6, text('others', 6)));
      expect(await bench.query('SELECT FROM embeddings.items')).toHaveLength(5);

      await migrateApplication([...undo]);
      await bench.query(`INSERT INTO items (id, body) VALUES (6, '${text('items', 6)}')`);
      const mended = await bench.run();

      expect(mended.error).toBeUndefined();
      expect(mended).toMatchObject({ code: 0, embedded: 1 });
      expect(await pauses()).toEqual([]);
      expect(await bench.stored('items')).toEqual(
        [...numbered('items'), text('items', 6)].map((value, place) => embedded(place + 1, value)),
      );
    },
  );

  it.each(changes)(
    'while a run works: %s; its migration is not blocked, the other source goes on',
    async (_name, change, code, undo) => {
      await openTwoSources();
      let waitedMs = 0;
      bench.server.setBehaviour(async call => {
        if (waitedMs === 0 && call.texts[0]?.includes('items')) {
          const began = Date.now();
          await migrateApplication([...change]);
          waitedMs = Math.max(1, Date.now() - began);
        }
        return { kind: 'embed' };
      });

      const run = await bench.run();

      expect(waitedMs).toBeGreaterThan(0);
      expect(run).toMatchObject({ code: 2, error: { message: expect.stringMatching(/^Source "items"/) } });
      expect(await pauses()).toEqual([`source:items source-fault:${code}`]);
      expect(await bench.stored('others')).toEqual(
        numbered('others').map((value, place) => embedded(place + 1, value)),
      );

      await migrateApplication([...undo]);
      expect(await bench.run()).toMatchObject({ code: 0 });
      expect(await pauses()).toEqual([]);
      expect(await bench.stored('items')).toEqual(
        numbered('items').map((value, place) => embedded(place + 1, value)),
      );
      expect(await bench.query('SELECT FROM freshet.grants')).toEqual([]);
    },
  );

  it('a swapped table goes on once somebody adopts it, and what is the same is not bought again', async () => {
    await createItems(bench, numbered('items'));
    bench.configure({});
    await bench.run();
    const calls = bench.server.callCount;
    await migrateApplication([
      'ALTER TABLE items RENAME TO former',
      'CREATE TABLE items (LIKE former INCLUDING ALL)',
      'INSERT INTO items SELECT * FROM former',
      'DROP TABLE former',
    ]);
    expect(await bench.run()).toMatchObject({
      code: 2,
      error: { message: expect.stringContaining('npm run freshet -- migrate') },
    });

    expect((await bench.cli('migrate')).code).toBe(0);
    const run = await bench.run();

    expect(run).toMatchObject({ code: 0, touched: 5, providerCalls: 0 });
    expect(bench.server.callCount).toBe(calls);
    expect(await pauses()).toEqual([]);
  });

  it('a column that changes to another text type, or one that is added, changes nothing', async () => {
    await createItems(bench, numbered('items'));
    bench.configure({});
    await bench.run();
    await migrateApplication([
      'ALTER TABLE items ALTER COLUMN body TYPE varchar(500)',
      'ALTER TABLE items ADD COLUMN price numeric DEFAULT 1',
    ]);

    expect(await bench.run()).toMatchObject({ code: 0, providerCalls: 0 });
  });

  it('a dropped table does not wait for an idle reader of the view, nor the view for it', async () => {
    await createItems(bench, numbered('items'));
    bench.configure({});
    await bench.run();
    const reader = await bench.beginTransaction();
    await reader.query('SELECT * FROM embeddings.items');

    const run = await bench.run();
    await migrateApplication(['DROP TABLE items']);
    await reader.commit();

    expect(run.code).toBe(0);
    expect(await bench.query('SELECT FROM embeddings.items')).toHaveLength(5);
    expect(await bench.run()).toMatchObject({
      code: 2,
      error: { message: expect.stringContaining('there is no table') },
    });
  });

  it('a table that a migration locks keeps no operator waiting: the others are told, and doctor names the process', async () => {
    await openTwoSources();
    expect((await bench.run()).code).toBe(0);
    await bench.query(
      "INSERT INTO freshet.control (scope, reason, detail) VALUES ('source:items', 'operator', 'OPS-1')",
    );
    const migration = await bench.beginTransaction();
    await migration.query('LOCK TABLE items IN ACCESS EXCLUSIVE MODE');
    const [{ pid }] = (await migration.query('SELECT pg_backend_pid() AS pid')).rows;

    const status = await bench.cli('status', '--json');
    const doctor = await bench.cli('doctor', '--json');
    const search = await bench.cli('search', 'anything', '--source', 'items');
    await migration.commit();

    expect(readObject(status)).toMatchObject({ unread: ['items'], spaces: [{ source: 'others', fresh: 5 }] });
    expect(status.code).toBe(0);
    expect(readObject(doctor).findings).toContainEqual(
      expect.objectContaining({
        check: 'lock',
        severity: 'error',
        message: expect.stringContaining(`"public"."items" is locked by process ${pid} of the server`),
      }),
    );
    expect(search).toMatchObject({ code: 1, errors: expect.stringContaining('sqlstate_55P03') });
    expect(readObject(await bench.cli('status', '--json'))).toMatchObject({ unread: [] });
  });

  it('a permission that was taken away pauses its source, and names the GRANT', async () => {
    await openTwoSources();
    expect((await bench.cli('migrate')).code).toBe(0);
    const { role, url } = await bench.createRole();
    await bench.query(`GRANT SELECT ON items, others TO ${role}`);
    await bench.query(`GRANT USAGE ON SCHEMA freshet TO ${role}`);
    await bench.query(`GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA freshet TO ${role}`);
    await bench.query(`REVOKE SELECT ON items FROM ${role}`);

    const run = await bench.start(['run'], { DATABASE_URL: url }).ended;

    expect(run.code).toBe(2);
    expect(run.errors).toContain(`GRANT SELECT ON "public"."items" TO "${role}";`);
    expect(await bench.stored('others')).toHaveLength(5);
    await bench.query(`GRANT SELECT ON items TO ${role}`);
    expect((await bench.start(['run'], { DATABASE_URL: url }).ended).code).toBe(0);
    expect(await bench.stored('items')).toHaveLength(5);
    await bench.query(`DROP OWNED BY ${role}`);
  });
});
