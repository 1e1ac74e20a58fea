import { randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { SqlDatabase } from '../../lib/adapters/sql/database.ts';
import { createDetectionStore } from '../../lib/adapters/sql/detection-store.ts';
import { divideRows } from '../../lib/adapters/sql/divide-rows.ts';
import { createEmbeddingStore } from '../../lib/adapters/sql/embedding-store.ts';
import { ensureSpaces } from '../../lib/adapters/sql/ensure-spaces.ts';
import { createOutcomeStore } from '../../lib/adapters/sql/outcome-store.ts';
import { createReportStore } from '../../lib/adapters/sql/report-store.ts';
import { FreshetError } from '../../lib/core/errors.ts';
import type { Space } from '../../lib/core/model.ts';
import { buildConfig, buildSourceConfig } from '../factories/pipeline-config.ts';
import { buildHash, buildResult, embedded, notEmbedded } from '../factories/result-object.ts';
import { request } from './open-space.ts';
import { openTestDatabase } from './open-test-database.ts';

const ROWS = 40;
const WHOLE = { after: null, through: null };
const IDS = Array.from({ length: ROWS }, (_, place) => String(place + 1));
const without = (...ids: string[]) => IDS.filter(id => !ids.includes(id));
const sorted = (ids: readonly string[]) => [...ids].sort((a, b) => Number(a) - Number(b));

let db: SqlDatabase;
beforeEach(async () => {
  db = await openTestDatabase();
});
afterEach(() => db.close());

const run = (statement: string) => sql.raw(statement).execute(db.kysely);
const select = async <Row>(statement: string) => (await run(statement)).rows as Row[];

/** A view whose columns are made from texts of the table behind it: `when_text` and `amount` can be no cast. */
async function openView() {
  await run(`CREATE TABLE public.base (id bigint PRIMARY KEY, title text, amount text, when_text text)`);
  await run(`INSERT INTO public.base
    SELECT n, 'title ' || n, n::text, '2026-01-01 00:00:00+00' FROM generate_series(1, ${ROWS}) AS n`);
  await run(`CREATE VIEW public.shown AS
    SELECT id, title, (100 / amount::int)::text AS price, when_text::timestamptz AS updated_at FROM public.base`);
  return openSource('shown', ['title', 'price']);
}

async function openTable() {
  await run(`CREATE TABLE public.base (id bigint PRIMARY KEY, title text, updated_at timestamptz)`);
  await run(`INSERT INTO public.base
    SELECT n, 'title ' || n, '2026-01-01 00:00:00+00' FROM generate_series(1, ${ROWS}) AS n`);
  return openSource('base', ['title']);
}

async function openSource(table: string, columns: readonly [string, ...string[]]) {
  const source = buildSourceConfig({ table, key: 'id', text: { columns: [...columns] } });
  const [space] = await ensureSpaces(db, buildConfig([source]));
  if (space === undefined) throw new Error('No space was made.');
  const detection = createDetectionStore(db);
  return {
    ...{ space, detection, embedding: createEmbeddingStore(db), outcomes: createOutcomeStore(db) },
    slice: (changes: object = {}) => detection.leaseStaleSlice(space, { ...request(), ...WHOLE, ...changes }),
    changed: (changes: object = {}) =>
      detection.leaseChangedRows(space, {
        ...request({}, 'fresh'),
        watermark: '2026-01-01 00:00:00+00',
        ...changes,
      }),
  };
}

const idsOf = ({ rows }: { readonly rows: readonly { readonly id: string }[] }) =>
  sorted(rows.map(({ id }) => id));

/** Raises for the leases of some rows, as a trigger of somebody's might. */
async function failLeases(ids: readonly string[], events: string): Promise<void> {
  await run(`CREATE OR REPLACE FUNCTION public.fail_lease() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN IF coalesce(NEW.item_id, OLD.item_id) IN (${ids.map(id => `'${id}'`)}) THEN RAISE EXCEPTION 'no'; END IF;
    RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END; END $$`);
  await run(`CREATE TRIGGER fail_lease BEFORE ${events} ON freshet.leases
    FOR EACH ROW EXECUTE FUNCTION public.fail_lease()`);
}

async function embedRows(opened: Awaited<ReturnType<typeof openView>>, ids: readonly string[]) {
  const { space, embedding, outcomes, slice } = opened;
  const dispatchId = randomUUID();
  await slice({ dispatchId });
  const taken = await embedding.beginEmbedding(space, dispatchId, ids);
  const readings = await embedding.readRows(space, taken, 1000);
  const written = readings.map(reading =>
    reading.unreadable === undefined
      ? embedded(reading, [1, 0, 0], buildHash(Number(reading.id)))
      : notEmbedded(reading, `undelivered:${reading.unreadable}`, null),
  );
  return outcomes.writeResult(space, buildResult(space, dispatchId, { outcomes: written }));
}

const stored = (space: Space) =>
  select<{ id: string; outcome: string }>(
    `SELECT item_id::text AS id, outcome FROM freshet.${space.vectorTable} ORDER BY item_id`,
  );

describe('a row of a view whose text raises', () => {
  it('gets an outcome for its version, and the others are embedded', async () => {
    const opened = await openView();
    await run(`UPDATE public.base SET amount = '0' WHERE id = 7`);

    const report = await embedRows(opened, IDS);

    expect(report).toMatchObject({ embedded: ROWS - 1, failed: 1, overtaken: 0 });
    expect(await select('SELECT FROM freshet.leases')).toEqual([]);
    const found = await opened.slice();
    expect([found.rows, found.skipped ?? []], 'nobody looks at its texts again').toEqual([[], []]);
    const failures = await createReportStore(db).readFailures(opened.space, 5);
    expect(failures).toMatchObject([{ code: 'sqlstate_22012', rows: 1, exampleIds: ['7'] }]);
  });

  it('is leased without a comparison where it became so later, and heals with its next version', async () => {
    const opened = await openView();
    await embedRows(opened, IDS);
    await run(`UPDATE public.base SET amount = 'none' WHERE id IN (7, 33)`);
    await run(`UPDATE public.base SET title = 'new' WHERE id = 40`);

    await embedRows(opened, ['7', '33', '40']);

    const outcomes = await stored(opened.space);
    expect(outcomes.filter(({ outcome }) => outcome !== 'embedded')).toEqual([
      { id: '7', outcome: 'undelivered:sqlstate_22P02' },
      { id: '33', outcome: 'undelivered:sqlstate_22P02' },
    ]);
    await run(`UPDATE public.base SET amount = '1', when_text = '2026-01-03 00:00:00+00' WHERE id = 7`);
    expect(idsOf(await opened.slice())).toEqual(['7']);
  });
});

describe('a row of a view whose version raises', () => {
  it('is skipped by both passes and told, and the others are leased', async () => {
    const opened = await openView();
    await run(`UPDATE public.base SET when_text = 'never' WHERE id IN (7, 8)`);
    const skipped = ['7', '8'].map(id => ({ id, code: 'sqlstate_22007' }));

    const slice = await opened.slice();
    await run('DELETE FROM freshet.leases');
    const changed = await opened.changed();

    expect([idsOf(slice), slice.skipped, slice.truncated]).toEqual([without('7', '8'), skipped, false]);
    expect([idsOf(changed), changed.skipped, changed.firstUnsent]).toEqual([
      without('7', '8'),
      skipped,
      null,
    ]);
  });

  it('lets the look say where its limit cut it off, by version and not by key', async () => {
    const opened = await openView();
    await run(`UPDATE public.base SET when_text = 'never' WHERE id = 30`);
    await run(
      `UPDATE public.base SET when_text = '2026-01-0' || (2 + id % 3) || ' 00:00:00.5+00' WHERE id > 32`,
    );

    const changed = await opened.changed({ limit: 20 });

    expect(changed.rows).toHaveLength(20);
    expect(changed.firstUnsent).toEqual({ version: '2026-01-01 00:00:00+00', id: '21' });
  });

  it('holds up no neighbour of its message, and counts as stale', async () => {
    const opened = await openView();
    const { space, embedding, outcomes, slice } = opened;
    const dispatchId = randomUUID();
    await slice({ dispatchId });
    await embedding.beginEmbedding(space, dispatchId, IDS);
    await run(`UPDATE public.base SET when_text = 'never' WHERE id = 7`);

    const readings = await embedding.readRows(space, IDS, 1000);
    await embedding.dropLeases(space, dispatchId, ['7']);
    const written = readings.map(reading => embedded(reading, [1, 0, 0], buildHash(Number(reading.id))));
    const report = await outcomes.writeResult(space, buildResult(space, dispatchId, { outcomes: written }));

    expect(report).toMatchObject({ embedded: ROWS - 1, failed: 0 });
    await run(`UPDATE public.base SET when_text = 'never' WHERE id = 9`);
    expect(await createReportStore(db).readCoverage(space)).toMatchObject({
      eligible: ROWS,
      fresh: ROWS - 2,
      inFlight: 1,
      stale: 1,
      coveragePercent: 95,
    });
  });

  it('is not taken for the culprit where every row raises', async () => {
    const opened = await openView();
    await run(`UPDATE public.base SET when_text = 'never'`);

    await expect(opened.slice()).rejects.toMatchObject({ code: 'sqlstate_22007' });
    await expect(opened.changed()).rejects.toMatchObject({ code: 'sqlstate_22007' });
  });
});

describe('a lease that a trigger refuses', () => {
  it.each(['INSERT', 'UPDATE', 'DELETE'])('(%s) leaves the leases of the others alone', async event => {
    const opened = await openTable();
    const { space, detection, embedding, outcomes } = opened;
    if (event === 'INSERT') await failLeases(['7', '33'], event);
    const dispatchId = randomUUID();

    const slice = await opened.slice({ dispatchId });

    const bad = event === 'INSERT' ? ['7', '33'] : [];
    expect(idsOf(slice)).toEqual(without(...bad));
    expect((slice.skipped ?? []).map(({ id }) => id)).toEqual(bad);
    if (event !== 'INSERT') await failLeases(['7', '33'], event);
    await detection.confirmSent(space, dispatchId, IDS, 60);
    const taken = await embedding.beginEmbedding(space, dispatchId, IDS);
    expect(taken).toEqual(event === 'DELETE' ? IDS : without('7', '33'));
    const readings = await embedding.readRows(space, taken, 1000);
    await embedding.markAnnounced(space, dispatchId, taken, 60);
    const written = readings.map(reading => embedded(reading, [1, 0, 0], buildHash(Number(reading.id))));
    const report = await outcomes.writeResult(space, buildResult(space, dispatchId, { outcomes: written }));
    expect(report).toMatchObject({ embedded: ROWS - 2 });
    expect((await stored(space)).map(({ id }) => id)).toEqual(without('7', '33'));
  });

  it('keeps no tick from expiring the leases of dead runs', async () => {
    const opened = await openTable();
    await opened.slice({ runId: 4711 });
    await failLeases(['7'], 'UPDATE');

    expect(await opened.detection.expireLeasesOfDeadRuns()).toBe(ROWS - 1);
    expect(idsOf(await opened.changed())).toEqual(without('7'));
  });
});

describe('an outcome that cannot be deleted', () => {
  /** Everything but rows 7 and 9 of the source goes, and was marked long ago. */
  async function loseRows(opened: Awaited<ReturnType<typeof openTable>>, from: number, to: number) {
    await embedRows(opened, IDS);
    await run(`DELETE FROM public.base WHERE id BETWEEN ${from} AND ${to}`);
    await run(`UPDATE freshet.${opened.space.vectorTable} SET missing_since = now() - interval '2 hours'
      WHERE item_id BETWEEN ${from} AND ${to}`);
    await run(`INSERT INTO freshet.positions (space_id, last_pass_started_at) VALUES (${opened.space.spaceId}, now())
      ON CONFLICT (space_id) DO UPDATE SET last_pass_started_at = now()`);
    await run(
      `CREATE TABLE public.kept (id bigint REFERENCES freshet.${opened.space.vectorTable} (item_id))`,
    );
  }

  it('is skipped and told, and the other orphans are deleted', async () => {
    const opened = await openTable();
    await run(`ALTER TABLE freshet.${opened.space.vectorTable} ADD UNIQUE (item_id)`);
    await loseRows(opened, 6, 9);
    await run('INSERT INTO public.kept VALUES (7)');

    const report = await opened.detection.removeOrphans(opened.space, WHOLE);

    expect(report).toMatchObject({ deleted: 3, skipped: [{ id: '7', code: 'sqlstate_23503' }] });
    expect((await stored(opened.space)).map(({ id }) => id)).toEqual(without('6', '8', '9'));
  });

  it('does not make too many missing rows few, as parts of a slice', async () => {
    const opened = await openTable();
    await run(`ALTER TABLE freshet.${opened.space.vectorTable} ADD UNIQUE (item_id)`);
    await loseRows(opened, 2, 39);
    await run('INSERT INTO public.kept VALUES (7)');
    await run(`UPDATE public.base SET id = 0 WHERE id = 1`);

    const report = await opened.detection.removeOrphans(opened.space, WHOLE);

    expect(report).toMatchObject({ deleted: 0, stopped: 'too-many' });
  });

  it('does not make them few where a row that came back keeps its mark, and the slice is taken apart', async () => {
    const opened = await openTable();
    await run(`ALTER TABLE freshet.${opened.space.vectorTable} ADD UNIQUE (item_id)`);
    await loseRows(opened, 10, 34);
    await run(`UPDATE freshet.${opened.space.vectorTable} SET missing_since = now() WHERE item_id = 2`);
    await run(`CREATE FUNCTION public.refuse_mark() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN RAISE EXCEPTION 'no'; END $$`);
    await run(`CREATE TRIGGER refuse_mark BEFORE UPDATE ON freshet.${opened.space.vectorTable}
      FOR EACH ROW WHEN (OLD.item_id = 2) EXECUTE FUNCTION public.refuse_mark()`);

    const report = await opened.detection.removeOrphans(opened.space, WHOLE);

    expect(report).toMatchObject({ deleted: 0, stopped: 'too-many', skipped: [{ id: '2' }] });
    expect((await stored(opened.space)).map(({ id }) => id)).toEqual(IDS);
  });
});

describe('taking apart', () => {
  const fail = (bad: (id: number) => boolean) => async (part: readonly number[]) => {
    if (part.some(bad)) throw new FreshetError('no', { failureClass: 'item', code: 'sqlstate_22012' });
  };
  const numbers = Array.from({ length: 1000 }, (_, place) => place);

  it('makes a bounded number of statements where each of a thousand rows fails', async () => {
    let statements = 0;
    const work = async (part: readonly number[]) => {
      statements += 1;
      await fail(() => true)(part);
    };

    await expect(divideRows(numbers, work)).rejects.toMatchObject({ code: 'sqlstate_22012' });

    expect(statements).toBeLessThan(200);
  });

  it('finds eight culprits wherever they lie, and leaves nothing', async () => {
    const bad = new Set([0, 130, 260, 390, 520, 650, 780, 999]);

    const { culprits, left } = await divideRows(
      numbers,
      fail(id => bad.has(id)),
    );

    expect(culprits.map(({ item }) => item)).toEqual([...bad]);
    expect(left).toEqual([]);
  });

  it('leaves what the budget did not reach, and blames no row for the rest', async () => {
    const { culprits, left } = await divideRows(
      numbers,
      fail(id => id % 7 === 0),
    );

    expect(culprits.every(({ item }) => item % 7 === 0)).toBe(true);
    expect(left.length).toBeGreaterThan(100);
    expect(culprits.length).toBeGreaterThan(8);
  });

  it('blames the first hundred rows where the last one shows that work succeeds', async () => {
    const { culprits, left } = await divideRows(
      numbers,
      fail(id => id < 100),
    );

    expect(culprits.length).toBeGreaterThan(50);
    expect(left).not.toContain(999);
  });
});
