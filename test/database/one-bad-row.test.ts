import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { SqlDatabase } from '../../lib/adapters/sql/database.ts';
import { createReportStore } from '../../lib/adapters/sql/report-store.ts';
import { buildCall, buildHash, buildResult, embedded, notEmbedded } from '../factories/result-object.ts';
import { type OpenedSpace, openSpace } from './open-space.ts';
import { openTestDatabase } from './open-test-database.ts';

let db: SqlDatabase;
let items: OpenedSpace;
const ROWS = 40;
const IDS = Array.from({ length: ROWS }, (_, place) => String(place + 1));

beforeEach(async () => {
  db = await openTestDatabase();
  items = await openSpace(db);
  await items.run(`INSERT INTO public.ai_items (id, title, updated_at)
    SELECT n, 'text ' || n, '2026-01-01 00:00:00+00' FROM generate_series(1, ${ROWS}) AS n`);
});
afterEach(() => db.close());

/** Leases all rows and writes a vector for each. */
async function writeAll() {
  const dispatchId = randomUUID();
  await items.leaseSlice({ dispatchId });
  await items.embedding.beginEmbedding(items.space, dispatchId, IDS);
  const readings = await items.read(...IDS);
  await items.embedding.markAnnounced(items.space, dispatchId, IDS, 3600);
  const outcomes = readings.map(reading => embedded(reading, [1, 0, 0], buildHash(Number(reading.id))));
  const call = buildCall();
  const result = buildResult(items.space, dispatchId, { calls: [call], outcomes });
  return { result, call, report: await items.outcomes.writeResult(items.space, result) };
}

async function failOn(table: string, condition: string, failure: string): Promise<void> {
  await items.run(`CREATE OR REPLACE FUNCTION public.fail() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN IF ${condition} THEN ${failure} END IF; RETURN NEW; END $$`);
  await items.run(`CREATE TRIGGER fail BEFORE INSERT OR UPDATE ON ${table}
    FOR EACH ROW EXECUTE FUNCTION public.fail()`);
}

describe('a row whose outcome the database refuses', () => {
  it.each([
    ['22012', 'PERFORM 1 / 0;'],
    ['23514', "RAISE EXCEPTION USING ERRCODE = '23514';"],
    ['54000', "RAISE EXCEPTION USING ERRCODE = '54000';"],
    ['XX001', "RAISE EXCEPTION USING ERRCODE = 'XX001';"],
    ['P0001', "RAISE EXCEPTION 'no';"],
    ['42846', "RAISE EXCEPTION USING ERRCODE = '42846';"],
  ])('(%s) is named, and the others are written in the same transaction', async (state, failure) => {
    const table = `freshet.${items.space.vectorTable}`;
    await failOn(table, "NEW.item_id IN (7, 8, 33) AND NEW.outcome = 'embedded'", failure);

    const { report, call, result } = await writeAll();

    const refused = ['7', '8', '33'].map(id => ({ id, outcome: `undelivered:sqlstate_${state}` }));
    expect(report).toMatchObject({ repeated: false, embedded: ROWS - 3, failed: 3, overtaken: 0, refused });
    const stored = await items.stored();
    expect(stored.filter(({ outcome }) => outcome === 'embedded')).toHaveLength(ROWS - 3);
    expect(stored.find(({ id }) => id === '7')).toMatchObject({ outcome: refused[0]?.outcome, vector: null });
    expect(await items.leases()).toEqual([]);
    const ledger = await items.select(`SELECT call_id::text AS id FROM freshet.ledger`);
    expect(ledger).toEqual([{ id: call.callId }]);
    expect((await items.leaseSlice()).rows, 'no row is stale').toEqual([]);
    expect(await items.outcomes.writeResult(items.space, result)).toMatchObject({ repeated: true });
    const failures = await createReportStore(db).readFailures(items.space, 5);
    expect(failures).toMatchObject([{ failureClass: 'undelivered', code: `sqlstate_${state}`, rows: 3 }]);
  });

  it('holds up no other even where no outcome at all is taken for it', async () => {
    await failOn(`freshet.${items.space.vectorTable}`, 'NEW.item_id IN (7, 8)', "RAISE EXCEPTION 'no';");

    const { report } = await writeAll();

    expect(report).toMatchObject({ embedded: ROWS - 2, failed: 0, overtaken: 2 });
    expect(await items.leases()).toMatchObject([
      { id: '7', live: false },
      { id: '8', live: false },
    ]);
  });

  it('is not blamed where the database refuses every row, and the ledger waits with them', async () => {
    await failOn(`freshet.${items.space.vectorTable}`, "NEW.outcome = 'embedded'", "RAISE EXCEPTION 'no';");

    await expect(writeAll()).rejects.toMatchObject({ code: 'sqlstate_P0001' });

    expect(await items.stored()).toEqual([]);
    expect(await items.select('SELECT FROM freshet.ledger')).toEqual([]);
  });

  it('keeps no half of its object where another row fails by what is everybody’s', async () => {
    const table = `freshet.${items.space.vectorTable}`;
    const state = "CASE NEW.item_id WHEN 7 THEN '22012' ELSE '40001' END";
    await failOn(
      table,
      "NEW.item_id IN (7, 33) AND NEW.outcome = 'embedded'",
      `RAISE EXCEPTION USING ERRCODE = ${state};`,
    );

    await expect(writeAll()).rejects.toMatchObject({ code: 'sqlstate_40001' });

    expect(await items.stored()).toEqual([]);
    expect(await items.select('SELECT FROM freshet.ledger')).toEqual([]);
  });

  it.each(['40001', '40P01', '57P01', '53200', '08006'])(
    'is not looked for where the failure is everybody’s (%s)',
    async state => {
      const table = `freshet.${items.space.vectorTable}`;
      await failOn(table, 'NEW.item_id = 7', `RAISE EXCEPTION USING ERRCODE = '${state}';`);

      await expect(writeAll()).rejects.toMatchObject({ code: `sqlstate_${state}` });

      expect(await items.stored()).toEqual([]);
      expect(await items.select('SELECT FROM freshet.ledger')).toEqual([]);
    },
  );
});

describe('a key that stands twice', () => {
  /** Children of the table repeat keys of it. */
  async function doubleKeys(...ids: number[]): Promise<void> {
    await items.run('CREATE TABLE public.archive () INHERITS (public.ai_items)');
    await items.run(`INSERT INTO public.archive (id, title, updated_at)
      SELECT n, 'other ' || n, '2026-01-02 00:00:00+00' FROM unnest('{${ids}}'::int[]) AS n`);
  }

  /** Writes what embed decides for such a key. */
  async function refuseDoubled(id: string): Promise<void> {
    const dispatchId = randomUUID();
    await items.leaseSlice({ dispatchId });
    const [reading] = await items.read(id);
    const outcomes = [notEmbedded(reading!, 'refused:duplicate-key', null)];
    await items.outcomes.writeResult(items.space, buildResult(items.space, dispatchId, { outcomes }));
    await items.run(`DELETE FROM freshet.leases WHERE item_id <> '${id}'`);
  }

  /** A row that the broken index of the primary key does not hold. */
  async function hideSecond(): Promise<void> {
    const index = `(SELECT indexrelid FROM pg_index WHERE indrelid = 'public.ai_items'::regclass AND indisprimary)`;
    await items.run(`UPDATE pg_index SET indisready = false, indislive = true WHERE indexrelid = ${index}`);
    await items.run(`INSERT INTO public.ai_items (id, title, updated_at) VALUES (3, 'other', '2026-01-02')`);
    await items.run(`UPDATE pg_index SET indisready = true WHERE indexrelid = ${index}`);
  }

  /**
   * Vacuums until the planner would read keys from the index alone, which a broken index falsifies.
   * It does so while most pages are visible to all: autovacuum's snapshot can keep them from it.
   */
  async function vacuumForIndex(): Promise<void> {
    for (let attempt = 0; attempt < 100; attempt++) {
      await items.run('VACUUM ANALYZE public.ai_items');
      const plan = await items.select(`EXPLAIN SELECT id FROM (SELECT id FROM public.ai_items OFFSET 0) AS d
        GROUP BY id HAVING count(*) > 1`);
      if (JSON.stringify(plan).includes('Index Only Scan')) return;
      await items.run('SELECT pg_sleep(0.05)');
    }
    throw new Error('The planner does not prefer the index.');
  }

  it('is leased once, and has a reading for each row', async () => {
    await doubleKeys(3);

    const slice = await items.leaseSlice();

    expect(slice.rows.filter(({ id }) => id === '3')).toHaveLength(1);
    expect(slice.rows).toHaveLength(ROWS);
    expect(await items.read('3')).toHaveLength(2);
    expect(await items.embedding.findDoubledKeys(items.space, ['2', '3'])).toEqual(['3']);
  });

  it('has one outcome; its rows count as failed, and no pass looks at them while it stands', async () => {
    await writeAll();
    await doubleKeys(3);
    await refuseDoubled('3');

    const report = createReportStore(db);
    expect(await report.readCoverage(items.space)).toMatchObject({
      eligible: ROWS + 1,
      fresh: ROWS - 1,
      failed: 2,
      stale: 0,
    });
    expect(await report.readFailures(items.space, 5)).toMatchObject([
      { failureClass: 'item', code: 'duplicate-key', rows: 2, exampleIds: ['3'] },
    ]);
    expect(await items.leases(), 'its lease has ended').toEqual([]);
    expect((await items.leaseSlice()).rows).toEqual([]);
    expect((await items.leaseChanged('2020-01-01 00:00:00+00')).rows).toEqual([]);
    await items.run(`UPDATE public.archive SET title = 'again', updated_at = now()`);
    expect((await items.leaseChanged('2020-01-01 00:00:00+00')).rows).toEqual([]);
  });

  it('is looked at by a reconcile pass once it stands in one row, and at once after a retry', async () => {
    await writeAll();
    await doubleKeys(3, 4);
    await refuseDoubled('3');
    await refuseDoubled('4');
    await items.run('DELETE FROM public.archive WHERE id = 3');

    expect((await items.leaseSlice()).rows).toMatchObject([{ id: '3' }]);
    expect(await createReportStore(db).retryFailures(items.space, { itemId: '4' })).toBe(1);
    expect((await items.leaseChanged(null)).rows).toMatchObject([{ id: '4' }]);
  });

  it('holds up no neighbour where it is doubled between reading and writing', async () => {
    const dispatchId = randomUUID();
    await items.leaseSlice({ dispatchId });
    const readings = await items.read(...IDS);
    await doubleKeys(3);
    const outcomes = readings.map(reading => embedded(reading, [1, 0, 0], buildHash(Number(reading.id))));

    await items.outcomes.writeResult(items.space, buildResult(items.space, dispatchId, { outcomes }));

    expect((await items.stored()).filter(({ outcome }) => outcome === 'embedded')).toHaveLength(ROWS);
    expect(await items.leases()).toMatchObject([{ id: '3', live: false }]);
  });

  it('is counted from the table where a broken index hides it', async () => {
    await hideSecond();

    expect(await items.embedding.findDoubledKeys(items.space, ['2', '3'])).toEqual(['3']);
    await items.leaseSlice();
  });

  it('is not leased again and again where the index alone would be cheaper to read', async () => {
    await items.run(`UPDATE public.ai_items SET summary = repeat('wide ', 300)`);
    await items.run(`INSERT INTO public.ai_items (id, title, summary, updated_at)
      SELECT n, 'text', repeat('wide ', 300), '2026-01-01' FROM generate_series(${ROWS + 1}, 2000) AS n`);
    await hideSecond();
    await refuseDoubled('3');
    await vacuumForIndex();

    const leased = (await items.leaseSlice({ limit: 3000 })).rows;

    expect(leased).toHaveLength(1999);
    expect(leased.filter(({ id }) => id === '3')).toEqual([]);
  });
});
