import { afterEach, beforeEach, expect, it } from 'vitest';
import { CANARY, itemsSource, openWorkbench, type Workbench } from './open-workbench.ts';

let bench: Workbench;
beforeEach(async () => {
  bench = await openWorkbench();
  await bench.query(`CREATE TABLE base (id bigint PRIMARY KEY, body text, amount text, changed text)`);
  await bench.query(`INSERT INTO base
    SELECT n, '${CANARY} ' || n, '1', '2026-01-01Z' FROM generate_series(1, 250) AS n`);
  await bench.query(`CREATE VIEW items AS SELECT id, body || (100 / amount::int) AS body,
    changed::timestamptz AS updated_at FROM base`);
  bench.configure({ sources: [itemsSource({ key: 'id' })], limits: { batchSize: 100 } });
});
afterEach(() => bench.close());

const outcomes = async () =>
  (await bench.stored())
    .filter(({ outcome }) => outcome !== 'embedded')
    .map(({ id, outcome }) => [id, outcome]);

it('a row of a view whose text raises fails alone, and a second run leaves it alone', async () => {
  await bench.query(`UPDATE base SET amount = '0' WHERE id = 105`);

  const run = await bench.run();

  expect(run, run.errors).toMatchObject({ code: 3, embedded: 249, failed: 1 });
  expect(await outcomes()).toEqual([['105', 'undelivered:sqlstate_22012']]);
  expect(await bench.run()).toMatchObject({ code: 3, providerCalls: 0 });
});

it('a row of a view whose version raises is named, and the others are embedded, now and later', async () => {
  await bench.query(`UPDATE base SET changed = 'never' WHERE id = 105`);

  const run = await bench.run();

  expect(run.embedded, run.errors).toBe(249);
  expect(run.code).not.toBe(0);
  expect(run.spaces[0]).toMatchObject({ eligible: 250, fresh: 249, stale: 1 });
  expect(run.errors).toMatch(/Source "items": sqlstate_22007 .*SELECT by the key: 105/);
  await bench.query(`UPDATE base SET body = 'new', changed = '2026-01-02Z' WHERE id > 240`);
  expect(await bench.run()).toMatchObject({ embedded: 10 });
  await bench.query(`UPDATE base SET changed = '2026-01-02Z' WHERE id = 105`);
  expect(await bench.run()).toMatchObject({ code: 0, embedded: 1 });
});

it('a lease that a trigger refuses keeps its row waiting, and no other', async () => {
  await bench.query('DELETE FROM base WHERE id > 120');
  expect((await bench.run('--max-items', '1')).embedded).toBe(1);
  await bench.query(`CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN IF NEW.item_id = '105' THEN RAISE EXCEPTION '${CANARY}'; END IF; RETURN NEW; END $$`);
  await bench.query(`CREATE TRIGGER no BEFORE INSERT ON freshet.leases FOR EACH ROW EXECUTE FUNCTION no()`);

  const run = await bench.run();

  expect(run.embedded, run.errors).toBe(118);
  expect(run.errors).toMatch(/sqlstate_P0001 .*key: 105/);
  expect(run.code).not.toBe(0);
});

it('a view whose key raises is a fault of that source alone, and every command says so', async () => {
  await bench.query(
    `CREATE TABLE words (id bigint PRIMARY KEY, body text, updated_at timestamptz DEFAULT now())`,
  );
  await bench.query(`INSERT INTO words SELECT n, '${CANARY} word ' || n FROM generate_series(1, 50) AS n`);
  await bench.query(
    `CREATE VIEW keyless AS SELECT id + 0 / amount::int AS id, body, now() AS updated_at FROM base`,
  );
  await bench.query(`UPDATE base SET amount = '0' WHERE id = 105`);
  const keyless = itemsSource({ name: 'keyless', table: 'keyless', key: 'id' });
  bench.configure({ sources: [keyless, itemsSource({ name: 'words', table: 'words' })] });

  const run = await bench.run();

  expect(run, run.errors).toMatchObject({ code: 1, embedded: 50, failed: 0 });
  expect(run.error?.message).toMatch(/Source "keyless": .*sqlstate_22012/);
  const status = await bench.cli('status');
  expect(status, status.errors).toMatchObject({ code: 0 });
  expect(status.output).toMatch(/words · tiny {3}100\.00 % covered/);
  expect(status.output).toContain('Source "keyless": its rows cannot be listed: npm run freshet -- doctor');
  expect((await bench.cli('failures')).code).toBe(0);
  const doctor = await bench.cli('doctor');
  expect(doctor.output).toMatch(
    /Source "keyless": listing its rows fails \(sqlstate_22012\).*SELECT "id" FROM/,
  );
  expect(doctor.output).toMatch(/Source "words": every vector has its row/);
});
