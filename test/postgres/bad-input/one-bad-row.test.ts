import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CANARY, createItems, itemsSource, openWorkbench, type Workbench } from './open-workbench.ts';

let bench: Workbench;
beforeEach(async () => {
  bench = await openWorkbench();
});
afterEach(() => bench.close());

const LIMITS = { limits: { batchSize: 100 } };
const texts = (rows: number) => Array.from({ length: rows }, (_, place) => `${CANARY} ${place + 1}`);

async function countOutcomes(): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const { outcome } of await bench.stored()) counts[outcome] = (counts[outcome] ?? 0) + 1;
  return counts;
}

/** A second run asks nothing of the provider, and ends as the first one did. */
async function expectIdleRun(code: number): Promise<void> {
  const calls = bench.server.callCount;
  const again = await bench.run();
  expect(again, again.errors).toMatchObject({ code, providerCalls: 0 });
  expect(bench.server.callCount).toBe(calls);
}

describe('a text whose batch the provider answers with an error of its own kind', () => {
  it.each([
    ['status 500', { kind: 'status', status: 500, body: { error: { message: 'NaN' } } }],
    ['status 503', { kind: 'status', status: 503, body: { error: { message: 'busy' } } }],
    ['half of the JSON', { kind: 'truncated-json' }],
  ] as const)(
    '(%s) fails alone; the other 249 rows are embedded in the same run',
    async (_name, answer) => {
      await createItems(bench, texts(250));
      bench.configure(LIMITS);
      bench.server.setBehaviour(call =>
        call.texts.some(text => text === `${CANARY} 105`) ? answer : { kind: 'embed' },
      );

      const run = await bench.run();

      expect(run).toMatchObject({ code: 3, embedded: 249, failed: 1 });
      const failures = await bench.cli('failures', '--json');
      expect(failures.output).toContain('"105"');
      await expectIdleRun(3);
    },
    90_000,
  );
});

/** Gives the planner statistics: it then reads both rows of a key, and joins only one of them. */
async function readByScan(): Promise<void> {
  await bench.query('ANALYZE items');
}

describe('a key that stands twice', () => {
  const breakIndex = async (statement: string) => {
    const set = (ready: boolean) =>
      bench.query(`UPDATE pg_index SET indisready = ${ready}
        WHERE indrelid = 'items'::regclass AND indisprimary`);
    await set(false);
    await bench.query(statement);
    await set(true);
  };
  const doubled: Readonly<Record<string, () => Promise<void>>> = {
    'behind a broken index': () => breakIndex(`INSERT INTO items (id, body) SELECT 105, '${CANARY} other'`),
    'in a child table': async () => {
      await bench.query('CREATE TABLE archive () INHERITS (items)');
      await bench.query(`INSERT INTO archive (id, body) VALUES (105, '${CANARY} other')`);
    },
  };

  it.each(Object.keys(doubled))(
    '%s is named and left out, and the other rows are embedded',
    async name => {
      await createItems(bench, texts(250));
      await doubled[name]?.();
      bench.configure(LIMITS);

      const run = await bench.run();

      expect(run.code).toBe(3);
      expect(await countOutcomes()).toEqual({ embedded: 249, 'refused:duplicate-key': 1 });
      const failures = await bench.cli('failures');
      expect(failures.output).toMatch(/duplicate-key/);
      expect(failures.output).toMatch(/\b105\b/);
      await expectIdleRun(3);
      await readByScan();
      await expectIdleRun(3);
      const doctor = await bench.cli('doctor');
      expect(doctor.output + doctor.errors).toMatch(/stand in several rows.*105/s);
    },
    90_000,
  );

  it.each(Object.keys(doubled))(
    '%s is left out from when it is doubled on',
    async name => {
      await createItems(bench, texts(250));
      bench.configure(LIMITS);
      expect(await bench.run()).toMatchObject({ code: 0, embedded: 250 });
      await doubled[name]?.();

      expect(await bench.run()).toMatchObject({ code: 3, providerCalls: 0 });
      expect(await countOutcomes()).toEqual({ embedded: 249, 'refused:duplicate-key': 1 });
      await expectIdleRun(3);
      await readByScan();
      await expectIdleRun(3);

      await bench.query(`DELETE FROM items WHERE ctid = (SELECT max(ctid) FROM ONLY items WHERE id = 105)`);
      await bench.query(`ANALYZE items`);
      expect(await bench.run()).toMatchObject({ code: 0, embedded: 1 });
    },
    90_000,
  );
});

describe('a key that stands twice where no index forbids it', () => {
  const others = () => bench.query(`INSERT INTO items (id, body) VALUES (105, '${CANARY} other')`);
  const make: Readonly<Record<string, () => Promise<unknown>>> = {
    'of a view': () => bench.query('CREATE VIEW shown AS SELECT * FROM items'),
    'of a foreign table': async () => {
      const { hostname, port, username } = new URL(process.env.DATABASE_URL ?? '');
      await bench.query('CREATE EXTENSION postgres_fdw');
      await bench.query(`DO $$ BEGIN EXECUTE format('CREATE SERVER loop FOREIGN DATA WRAPPER postgres_fdw
        OPTIONS (host %L, port %L, dbname %L)', '${hostname}', '${port}', current_database()); END $$`);
      await bench.query(`CREATE USER MAPPING FOR CURRENT_USER SERVER loop OPTIONS (user '${username}')`);
      await bench.query(`CREATE FOREIGN TABLE shown (id bigint, body text, updated_at timestamptz)
        SERVER loop OPTIONS (schema_name 'public', table_name 'items')`);
    },
  };

  it.each(Object.keys(make))(
    '%s is named and left out, while it does, and its neighbours are embedded',
    async name => {
      await createItems(bench, texts(120));
      await bench.query('ALTER TABLE items DROP CONSTRAINT items_pkey');
      await others();
      await make[name]?.();
      bench.configure({ ...LIMITS, sources: [itemsSource({ table: 'shown', key: 'id' })] });

      expect(await bench.run()).toMatchObject({ code: 3 });

      expect(await countOutcomes()).toEqual({ embedded: 119, 'refused:duplicate-key': 1 });
      const failures = await bench.cli('failures');
      expect(failures.output).toMatch(/duplicate-key.*\b105\b/s);
      await expectIdleRun(3);
      await readByScan();
      await expectIdleRun(3);
      const doctor = await bench.cli('doctor');
      expect(doctor.output + doctor.errors).toMatch(/1 keys stand in several rows of "public"."shown": 105/);
      expect(doctor.output + doctor.errors).not.toMatch(/REINDEX/);

      await bench.query(`DELETE FROM items WHERE body LIKE '%other'`);
      expect(await bench.run()).toMatchObject({ code: 0, embedded: 1 });
    },
    90_000,
  );

  it('of several columns is told from its neighbours of the same tenant', async () => {
    await createItems(bench, texts(120));
    await bench.query(`ALTER TABLE items ADD tenant text NOT NULL DEFAULT 'a,"b'`);
    await bench.query('ALTER TABLE items DROP CONSTRAINT items_pkey, ADD PRIMARY KEY (tenant, id)');
    await bench.query('CREATE TABLE archive () INHERITS (items)');
    await bench.query(`INSERT INTO archive (id, body) VALUES (105, '${CANARY} other')`);
    bench.configure(LIMITS);

    expect(await bench.run()).toMatchObject({ code: 3 });

    const [space] = await bench.query<{ counts: Record<string, number> }>(`
      SELECT json_object_agg(outcome, rows) AS counts
        FROM (SELECT outcome, count(*) AS rows FROM freshet.vectors_1 GROUP BY outcome) AS o`);
    expect(space?.counts).toEqual({ embedded: 119, 'refused:duplicate-key': 1 });
    await expectIdleRun(3);
    const failures = await bench.cli('failures', '--json');
    expect(JSON.stringify(JSON.parse(failures.output))).toContain(
      JSON.stringify(JSON.stringify(['a,"b', '105']).replace(',"105', ', "105')).slice(1, -1),
    );

    await bench.query('DELETE FROM archive');
    expect(await bench.run()).toMatchObject({ code: 0, embedded: 1 });
    expect(await bench.run()).toMatchObject({ code: 0, providerCalls: 0 });
  }, 90_000);
});

describe('a row that the database cannot read or write', () => {
  it('of damaged text is named, and the other rows are embedded', async () => {
    await createItems(bench, texts(120));
    await bench.query(`ALTER TABLE items ALTER body SET STORAGE EXTERNAL`);
    await bench.query(`UPDATE items SET body = '${CANARY} ' || repeat('long ', 2000) WHERE id = 105`);
    await bench.query(`CREATE EXTENSION pg_surgery`);
    const [toast] = await bench.query<{ name: string }>(
      `SELECT reltoastrelid::regclass::text AS name FROM pg_class WHERE oid = 'items'::regclass`,
    );
    await bench.query(`SELECT heap_force_kill('${toast?.name}'::regclass, ARRAY['(0,1)'::tid])`);
    bench.configure(LIMITS);

    const run = await bench.run();

    expect(run).toMatchObject({ code: 3, embedded: 119, failed: 1 });
    expect(await countOutcomes()).toEqual({ embedded: 119, 'undelivered:sqlstate_XX001': 1 });
    await expectIdleRun(3);
  }, 90_000);

  it('of an outcome that a trigger refuses is named, and the other rows are embedded', async () => {
    await createItems(bench, texts(120));
    bench.configure({ ...LIMITS, sources: [itemsSource()] });
    expect((await bench.cli('migrate')).code).toBe(0);
    await bench.query(`CREATE FUNCTION check_outcome() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN IF NEW.item_id = 7 AND NEW.outcome = 'embedded' THEN PERFORM 1 / 0; END IF; RETURN NEW; END $$`);
    await bench.query(`CREATE TRIGGER check_outcome BEFORE INSERT OR UPDATE ON freshet.vectors_1
      FOR EACH ROW EXECUTE FUNCTION check_outcome()`);

    const run = await bench.run();

    expect(run).toMatchObject({ code: 3, embedded: 119, failed: 1 });
    expect(await countOutcomes()).toEqual({ embedded: 119, 'undelivered:sqlstate_22012': 1 });
    await expectIdleRun(3);
  }, 90_000);
});
