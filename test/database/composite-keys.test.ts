import { randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { SqlDatabase } from '../../lib/adapters/sql/database.ts';
import { inspectDatabase } from '../../lib/adapters/sql/doctor.ts';
import { ensureSpaces } from '../../lib/adapters/sql/ensure-spaces.ts';
import { createRedriveStore } from '../../lib/adapters/sql/redrive-store.ts';
import { createReportStore } from '../../lib/adapters/sql/report-store.ts';
import { createResetStore } from '../../lib/adapters/sql/reset-store.ts';
import { createSearchStore } from '../../lib/adapters/sql/search-store.ts';
import { createSystemClock } from '../../lib/adapters/system.ts';
import type { NearestRequest } from '../../lib/ports/search.ts';
import { buildConfig, buildSourceConfig } from '../factories/pipeline-config.ts';
import { buildHash, buildResult, embedded, notEmbedded } from '../factories/result-object.ts';
import { type OpenedSpace, openSpace, request } from './open-space.ts';
import { openTestDatabase } from './open-test-database.ts';

let db: SqlDatabase;
let items: OpenedSpace;
const COLUMNS = { tenant: 'integer', 'made "at"': 'timestamptz', code: 'varchar(8)' };
const WHOLE = { after: null, through: null };
/** Ids in the order of their keys: the first part is equal, then the second one. */
const [A, B, C] = [
  '["1", "2026-01-01T00:00:00.5", "x,\\"y"]',
  '["1", "2026-01-02T00:00:00", "a"]',
  '["2", "2026-01-01T00:00:00", "a"]',
] as const;

beforeEach(async () => {
  db = await openTestDatabase();
  items = await openSpace(db, { keyColumns: COLUMNS });
  await items.run(`INSERT INTO public.ai_items (tenant, "made ""at""", code, title, updated_at) VALUES
    (1, '2026-01-01 00:00:00.5Z', 'x,"y', 'one', '2026-01-01 00:00:01Z'),
    (1, '2026-01-02 00:00:00Z', 'a', 'two', '2026-01-01 00:00:02Z'),
    (2, '2026-01-01 00:00:00Z', 'a', 'three', '2026-01-01 00:00:03Z')`);
});
afterEach(() => db.close());

/** Embeds the rows, or records that they were refused. */
async function write(outcome: 'embedded' | 'refused:http_400', ...ids: string[]): Promise<void> {
  const dispatchId = randomUUID();
  await items.leaseSlice({ dispatchId });
  expect(await items.embedding.beginEmbedding(items.space, dispatchId, ids)).toEqual(ids);
  const readings = await items.read(...ids);
  const outcomes = readings.map((reading, place) =>
    outcome === 'embedded'
      ? embedded(reading, [1, place, 0], buildHash(place + 1))
      : notEmbedded(reading, outcome, buildHash(place + 1)),
  );
  const report = await items.outcomes.writeResult(
    items.space,
    buildResult(items.space, dispatchId, { outcomes }),
  );
  expect(report.overtaken).toBe(0);
  await items.run('DELETE FROM freshet.leases');
}

async function findNearest(database: SqlDatabase, near: NearestRequest['near']): Promise<readonly string[]> {
  const store = createSearchStore(database, buildConfig(), createSystemClock());
  const request = { source: (await store.find('ai_items'))!, caller: { kind: 'operator' as const } };
  const found = await store.findNearest({
    ...{ ...request, near, limit: 5, columns: ['title'], withVectors: false },
    ...{ filter: undefined, after: undefined, maxDistance: undefined },
  });
  return found!.rows.map(({ id }) => id);
}

describe('a key of several columns', () => {
  it('is leased, read and written by ids that are JSON arrays of texts', async () => {
    const slice = await items.leaseSlice();

    expect(slice.rows.map(({ id }) => id).sort()).toEqual([A, B, C]);
    await items.run('DELETE FROM freshet.leases');
    await write('embedded', A, B, C);
    expect((await items.stored()).map(({ id, outcome }) => [id, outcome])).toEqual([
      [A, 'embedded'],
      [B, 'embedded'],
      [C, 'embedded'],
    ]);
    expect(await items.leaseSlice()).toEqual({ rows: [], truncated: false });
  });

  it('has the same ids whatever time zone and date style the session has', async () => {
    await sql`SET TimeZone = 'Asia/Tokyo'`.execute(db.kysely);
    await sql`SET DateStyle = 'German'`.execute(db.kysely);

    const ids = (await items.leaseSlice()).rows.map(({ id }) => id);
    const through = await items.detection.findSliceEnd(items.space, null, 2);

    expect(ids.sort()).toEqual([A, B, C]);
    expect(through).toBe(B);
    expect((await items.read(A, B, C)).map(({ id }) => id).sort()).toEqual([A, B, C]);
    await sql`RESET DateStyle`.execute(db.kysely);
    await sql`SET TimeZone = 'UTC'`.execute(db.kysely);
  });

  it('is walked in slices that compare all its columns', async () => {
    const first = await items.detection.findSliceEnd(items.space, null, 1);
    const second = await items.detection.findSliceEnd(items.space, first, 1);
    const slice = { after: first, through: second };

    const leased = await items.detection.leaseStaleSlice(items.space, { ...request(), ...slice });

    expect([first, second]).toEqual([A, B]);
    expect(leased.rows.map(({ id }) => id)).toEqual([B]);
    expect(await items.detection.findSliceEnd(items.space, second, 5)).toBeNull();
  });

  it('finds edits by the watermark and gives back rows whose lease expired', async () => {
    await write('embedded', A, B, C);
    await items.run(`UPDATE public.ai_items SET updated_at = '2026-02-01Z' WHERE tenant = 1 AND code = 'a'`);

    const changed = await items.leaseChanged('2026-01-15Z', { leaseSeconds: 0 });

    expect(changed.rows.map(({ id }) => id)).toEqual([B]);
    expect((await items.leaseChanged(null)).rows.map(({ id }) => id)).toEqual([B]);
  });

  it('removes the outcome of the one row that is gone', async () => {
    await write('embedded', A, B, C);
    await items.run(`DELETE FROM public.ai_items WHERE tenant = 1 AND code = 'a'`);

    const report = await items.detection.removeOrphans(items.space, { after: A, through: B });

    expect(report).toEqual({ marked: 1, deleted: 0, stopped: null });
    expect((await items.stored()).filter(({ missing }) => missing).map(({ id }) => id)).toEqual([B]);
  });

  it('is what operators see, name and reset by', async () => {
    const report = createReportStore(db);
    await write('refused:http_400', A, B);
    expect((await report.readFailures(items.space, 9))[0]?.exampleIds).toEqual([A, B]);
    expect(await report.readCoverage(items.space)).toMatchObject({ eligible: 3, failed: 2, stale: 1 });

    // As a person types it, without the space.
    const typed = JSON.stringify(JSON.parse(B));
    expect(await report.retryFailures(items.space, { itemId: typed })).toBe(1);
    expect((await items.leaseChanged(null)).rows.map(({ id }) => id)).toEqual([B]);
    await expect(report.retryFailures(items.space, { itemId: '["1"]' })).rejects.toThrow(
      'A key of this source has 3 parts',
    );

    await items.run('DELETE FROM freshet.leases');
    const redrive = createRedriveStore(db);
    expect((await redrive.findStaleRows(items.space, [B, C])).map(({ id }) => id).sort()).toEqual([B, C]);
    const named = await redrive.leaseNamedRows(items.space, { ...request(), ids: [C] });
    expect(named.map(({ id }) => id)).toEqual([C]);
    await items.run('DELETE FROM freshet.leases');

    await write('embedded', B, C);
    expect(await findNearest(db, { vector: Buffer.from(new Float32Array([1, 1, 0]).buffer) })).toEqual([
      C,
      B,
    ]);
    expect(await findNearest(db, { like: C })).toEqual([B]);
    await expect(findNearest(db, { like: '["1"]' })).rejects.toThrow('A key of this source has 3 parts');
    const reset = createResetStore(db);
    expect(await reset.plan(items.space, {})).toMatchObject({ rows: 2, texts: 2 });
    const batch = await reset.reset(items.space, {}, { after: null, limit: 1 });
    expect(batch).toEqual({ rows: 1, cursor: B });
    expect(await reset.reset(items.space, {}, { after: B, limit: 1 })).toEqual({ rows: 1, cursor: C });
  });

  it('stands in the view under the source’s own names', async () => {
    await write('embedded', A, B, C);

    const joined = await items.select<{ title: string }>(
      `SELECT i.title FROM public.ai_items i JOIN embeddings.ai_items e USING (tenant, "made ""at""", code)`,
    );

    expect(joined).toHaveLength(3);
  });

  it('is part of the index that doctor asks for', async () => {
    const config = buildConfig([buildSourceConfig()]);
    const asked = async () =>
      (await inspectDatabase(db, config)).find(({ check }) => check === 'updated-at-index');

    const { statement } = (await asked()) ?? {};
    expect(statement).toContain('("updated_at", "tenant", "made ""at""", "code")');
    await sql.raw(statement ?? '').execute(db.kysely);
    expect((await asked())?.ok).toBe(true);
    expect((await inspectDatabase(db, config)).filter(({ ok, check }) => !ok && check === 'orphans')).toEqual(
      [],
    );
  });

  it('may not be replaced by its columns in another order, which would name other rows', async () => {
    await items.run('CREATE UNIQUE INDEX ON public.ai_items (code, tenant, "made ""at""")');
    const turned = buildConfig([buildSourceConfig({ key: ['code', 'tenant', 'made "at"'] })]);

    await expect(ensureSpaces(db, turned, { adopt: true })).rejects.toThrow(/Restore the former key/);
  });

  it('says what to run when the type of a part changed', async () => {
    await items.run('ALTER TABLE public.ai_items ALTER COLUMN tenant TYPE bigint');
    const config = buildConfig([buildSourceConfig()]);

    const refusal = await ensureSpaces(db, config, { adopt: true }).catch(error => error);

    for (const statement of refusal.remedy.split(/(?<=;) /)) await sql.raw(statement).execute(db.kysely);
    const [space] = await ensureSpaces(db, config);
    expect(space?.source.keyColumns[0]).toEqual({ name: 'tenant', type: 'bigint' });
    expect(await items.detection.removeOrphans(items.space, WHOLE)).toMatchObject({ stopped: null });
  });
});

describe('a key of several columns that stands twice', () => {
  const doubleSecond = async () => {
    await items.run('CREATE TABLE public.archive () INHERITS (public.ai_items)');
    await items.run(`INSERT INTO public.archive SELECT * FROM ONLY public.ai_items
      WHERE tenant = 1 AND code = 'a'`);
  };

  /** Writes what embed decides for the key, and ends the other leases. */
  const refuseSecond = async () => {
    const dispatchId = randomUUID();
    expect((await items.leaseSlice({ dispatchId })).rows.map(({ id }) => id)).toEqual([B]);
    const [reading] = await items.read(B);
    const outcomes = [notEmbedded(reading!, 'refused:duplicate-key', null)];
    await items.outcomes.writeResult(items.space, buildResult(items.space, dispatchId, { outcomes }));
  };

  it('is told from keys that share a part with it, and by the id that was asked for', async () => {
    await doubleSecond();

    const slice = await items.leaseSlice();

    expect(slice.rows.map(({ id }) => id).sort()).toEqual([A, B, C]);
    expect((await items.read(A, B, C)).map(({ id }) => id).sort()).toEqual([A, B, B, C]);
    const typed = JSON.stringify(JSON.parse(B));
    expect(await items.embedding.findDoubledKeys(items.space, [A, typed, C])).toEqual([typed]);
  });

  it('fails with all its rows and rests, and is looked at again once it stands in one row', async () => {
    await write('embedded', A, B, C);
    await doubleSecond();
    await refuseSecond();

    const report = createReportStore(db);
    expect(await items.leases(), 'its lease has ended').toEqual([]);
    expect(await report.readCoverage(items.space)).toMatchObject({
      ...{ eligible: 4, fresh: 2, failed: 2, stale: 0 },
    });
    expect(await report.readFailures(items.space, 5)).toMatchObject([
      { failureClass: 'item', code: 'duplicate-key', rows: 2, exampleIds: [B] },
    ]);
    await items.run('UPDATE public.archive SET updated_at = now()');
    expect((await items.leaseSlice()).rows).toEqual([]);
    expect((await items.leaseChanged('2020-01-01Z')).rows).toEqual([]);

    await items.run('DELETE FROM public.archive');
    expect((await items.leaseSlice()).rows.map(({ id }) => id)).toEqual([B]);
  });

  it('is shown by doctor as failures prints it', async () => {
    await doubleSecond();

    const findings = await inspectDatabase(db, buildConfig([buildSourceConfig()]));

    expect(findings.find(({ check }) => check === 'duplicate-keys')).toMatchObject({
      ok: false,
      message: expect.stringContaining(`1 keys stand in several rows of "public"."ai_items": ${B}. None`),
    });
  });
});
