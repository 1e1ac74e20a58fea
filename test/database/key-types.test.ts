import { randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { SqlDatabase } from '../../lib/adapters/sql/database.ts';
import { createReportStore } from '../../lib/adapters/sql/report-store.ts';
import { resolveSource } from '../../lib/adapters/sql/resolve-source.ts';
import type { SourceConfig } from '../../lib/core/config/pipeline-config.ts';
import { buildSourceConfig } from '../factories/pipeline-config.ts';
import { buildHash, buildResult, embedded, notEmbedded } from '../factories/result-object.ts';
import { type OpenedSpace, openSpace, type SourceTableShape } from './open-space.ts';
import { openTestDatabase } from './open-test-database.ts';

let db: SqlDatabase;
beforeEach(async () => {
  db = await openTestDatabase();
});
afterEach(() => db.close());

/** Leases all that is stale, and embeds it; resolves with the ids, in order. */
async function embedAll(items: OpenedSpace, refused = false): Promise<string[]> {
  const dispatchId = randomUUID();
  const { rows } = await items.leaseSlice({ dispatchId });
  const ids = rows.map(({ id }) => id);
  await items.embedding.beginEmbedding(items.space, dispatchId, ids);
  const readings = await items.read(...ids);
  const outcomes = readings.map(reading =>
    refused
      ? notEmbedded(reading, 'refused:http_400', buildHash(1))
      : embedded(reading, [1, 0, 0], buildHash(1)),
  );
  await items.outcomes.writeResult(items.space, buildResult(items.space, dispatchId, { outcomes }));
  return ids.sort();
}

async function open(shape: SourceTableShape, ids: readonly string[], config: Partial<SourceConfig> = {}) {
  const now = { bigint: `DEFAULT 5` }[shape.updatedAtType ?? ''] ?? 'DEFAULT now()';
  const items = await openSpace(db, { ...shape, updatedAtDefault: now }, config);
  for (const id of ids)
    await items.run(`INSERT INTO public.ai_items (id, title) VALUES ('${id.replaceAll("'", "''")}', 't')`);
  return items;
}

describe('a key of type', () => {
  it.each([
    ['smallint', ['-32768', '0', '32767']],
    ['numeric', ['-1.5', '12345678901234567890', 'NaN']],
    ['numeric(12,2)', ['1.00', '1.01', '2.00']],
    ['name', ['a', `n'a"me`, 'żółw']],
    ['date', ['2026-01-01', '2026-01-02', 'infinity']],
    ['timestamp(3)', ['2026-01-01T00:00:00', '2026-01-01T00:00:00.125']],
    ['timestamptz', ['2026-01-01T00:00:00.000001', '2026-01-02T00:00:00', 'infinity']],
  ] as const)('%s is embedded, edited, removed, and idle after', async (keyType, ids) => {
    const items = await open({ keyType }, ids);

    expect(await embedAll(items)).toEqual([...ids].sort());
    expect((await items.leaseSlice()).rows).toEqual([]);
    expect(await items.leases()).toEqual([]);
    await items.run(`UPDATE public.ai_items SET title = 'new', updated_at = '2027-01-01Z'`);
    const changed = await items.leaseChanged('2026-12-01Z', { leaseSeconds: 0 });
    expect(changed.rows.map(({ id }) => id).sort()).toEqual([...ids].sort());
    expect((await items.leaseChanged(null, { leaseSeconds: 0 })).rows).toHaveLength(ids.length);
    await items.run(`DELETE FROM public.ai_items WHERE id = '${ids[0]}'`);
    expect(await items.detection.removeOrphans(items.space, { after: null, through: ids[1] })).toMatchObject({
      marked: 1,
    });
  });

  it('numeric is found by the text that was asked for, also where the row has another one', async () => {
    const items = await open({ keyType: 'numeric' }, ['1.0']);
    const dispatchId = randomUUID();
    expect((await items.leaseSlice({ dispatchId })).rows.map(({ id }) => id)).toEqual(['1.0']);
    await items.embedding.beginEmbedding(items.space, dispatchId, ['1.0']);
    await items.run('UPDATE public.ai_items SET id = 1.00');

    const readings = await items.read('1.0');

    expect(readings.map(({ id }) => id)).toEqual(['1.0']);
    const outcomes = readings.map(reading => embedded(reading, [1, 0, 0], buildHash(1)));
    const report = await items.outcomes.writeResult(
      items.space,
      buildResult(items.space, dispatchId, { outcomes }),
    );
    expect(report).toMatchObject({ embedded: 1, overtaken: 0 });
    expect(await items.leases()).toEqual([]);
    expect((await items.leaseSlice()).rows).toEqual([]);
  });
});

describe('a version of type', () => {
  const zone = { timeZone: 'Europe/Berlin' };

  it('date asks for its zone, and its horizon is a day there', async () => {
    const items = await open({ updatedAtType: 'date' }, ['1', '2'], zone);

    const horizon = await items.detection.readHorizon(items.space);
    expect(horizon).toMatch(/^\d{4}-\d\d-\d\d$/);
    await items.detection.writeWatermark(items.space, [horizon, '2026-03-02', null]);
    expect((await items.detection.readPosition(items.space)).watermark).toBe('2026-03-02');
    await embedAll(items);
    await items.run(`UPDATE public.ai_items SET title = 'again' WHERE id = 1`);
    // The same day: only the row version tells, so the reconcile pass finds it.
    expect((await items.leaseChanged('2026-01-01')).rows).toEqual([]);
    expect(await embedAll(items)).toEqual(['1']);
    await items.run(`UPDATE public.ai_items SET title = 'next', updated_at = '2036-01-02' WHERE id = 2`);
    expect((await items.leaseChanged('2026-01-01')).rows.map(({ id }) => id)).toEqual(['2']);
    const untold = resolveSource(db, buildSourceConfig());
    await expect(untold).rejects.toThrow(/column "updated_at" \(date\) has no time zone/);
  });

  it('bigint without a unit is a counter: only the reconcile pass finds edits', async () => {
    const items = await open({ updatedAtType: 'bigint' }, ['1', '2']);

    expect(await items.detection.readHorizon(items.space)).toBeNull();
    await embedAll(items);
    await items.run(`UPDATE public.ai_items SET title = 'again', updated_at = 6 WHERE id = 2`);
    expect(await embedAll(items)).toEqual(['2']);
    expect((await items.leaseSlice()).rows).toEqual([]);
  });

  it.each([
    ['seconds', 1],
    ['milliseconds', 1e3],
    ['microseconds', 1e6],
  ] as const)('bigint with %s since 1970 has a watermark', async (updatedAtUnit, perSecond) => {
    const items = await open({ updatedAtType: 'bigint' }, ['1'], { updatedAtUnit });

    const horizon = Number(await items.detection.readHorizon(items.space)) / perSecond;

    const { rows } = await sql<{ now: number }>`SELECT extract(epoch FROM now())::float8 AS now`.execute(
      db.kysely,
    );
    expect(Math.abs((rows[0]?.now ?? 0) - 300 - horizon)).toBeLessThan(120);
    expect((await items.leaseChanged('5')).rows.map(({ id }) => id)).toEqual(['1']);
    expect((await items.leaseChanged('6', { lane: 'fresh' })).rows).toEqual([]);
  });

  it('bigint can be made stale by hand, as any other', async () => {
    const items = await open({ updatedAtType: 'bigint' }, ['1']);
    await embedAll(items, true);

    expect(await createReportStore(db).retryFailures(items.space, {})).toBe(1);
    expect(await createReportStore(db).retryFailures(items.space, {})).toBe(0);
    expect((await items.leaseChanged(null)).rows.map(({ id }) => id)).toEqual(['1']);
  });

  it('timestamptz refuses a unit, and integer is refused whatever is configured', async () => {
    await open({}, []);
    const config = buildSourceConfig({ updatedAtUnit: 'seconds' });
    await expect(resolveSource(db, config)).rejects.toThrow(/has no unit. Remove "updatedAtUnit"/);
    await db.kysely.executeQuery(sql`ALTER TABLE public.ai_items ADD COLUMN n integer`.compile(db.kysely));
    await expect(resolveSource(db, buildSourceConfig({ updatedAt: 'n' }))).rejects.toThrow(
      /It must be timestamptz, bigint, or timestamp or date/,
    );
  });
});
