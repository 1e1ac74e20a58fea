import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { SqlDatabase } from '../../lib/adapters/sql/database.ts';
import { buildResult, embedded } from '../factories/result-object.ts';
import { type OpenedSpace, openSpace, request } from './open-space.ts';
import { openTestDatabase } from './open-test-database.ts';

let db: SqlDatabase;
beforeEach(async () => {
  db = await openTestDatabase();
});
afterEach(() => db.close());

async function openRows(count: number): Promise<OpenedSpace> {
  const items = await openSpace(db);
  await items.run(`INSERT INTO public.ai_items (id, title, updated_at)
    SELECT n, 't', timestamptz '2026-01-01 00:00+00' + n * interval '1 second' FROM generate_series(1, ${count}) AS n`);
  return items;
}

async function embedAll(items: OpenedSpace): Promise<void> {
  const ids = await items.select<{ id: string }>('SELECT id::text FROM public.ai_items');
  const readings = await items.read(...ids.map(row => row.id));
  await items.outcomes.writeResult(
    items.space,
    buildResult(items.space, randomUUID(), { outcomes: readings.map(r => embedded(r, [1, 0, 0])) }),
  );
}

const idsOf = (found: { readonly rows: readonly { readonly id: string }[] }) => found.rows.map(row => row.id);

describe('leaseChangedRows', () => {
  it('leases stale rows from the watermark on, oldest first, and says where the limit cut', async () => {
    const items = await openRows(5);

    const found = await items.leaseChanged('2026-01-01 00:00:02+00', { limit: 2 });

    expect(found).toEqual({
      rows: [
        { id: '2', attempts: 0, version: '2026-01-01 00:00:02+00' },
        { id: '3', attempts: 0, version: '2026-01-01 00:00:03+00' },
      ],
      firstUnsent: { version: '2026-01-01 00:00:04+00', id: '4' },
    });
  });

  it('goes on with the row that it left, also among rows of one version', async () => {
    const items = await openRows(6);
    await items.run("UPDATE public.ai_items SET updated_at = '2026-01-03' WHERE id > 2");

    const first = await items.leaseChanged('2026-01-01', { limit: 3 });
    await items.run("UPDATE freshet.leases SET lane = 'bulk', stage = 'queued'");
    const from = first.firstUnsent ?? undefined;
    const { detection, space } = items;
    const watermark = '2026-01-01';
    const second = await detection.leaseChangedRows(space, { ...request({}, 'fresh'), watermark, from });

    expect(idsOf(first)).toEqual(['1', '2', '3']);
    expect(from).toEqual({ version: '2026-01-03 00:00:00+00', id: '4' });
    expect(idsOf(second)).toEqual(['4', '5', '6']);
  });

  it('finds nothing by a watermark of null', async () => {
    const items = await openRows(2);

    expect(await items.leaseChanged(null)).toEqual({ rows: [], firstUnsent: null });
  });

  it('leases a row once, and no fresh one', async () => {
    const items = await openRows(3);
    await embedAll(items);
    await items.run(`UPDATE public.ai_items SET updated_at = '2026-02-01 00:00:00.000001+00' WHERE id = 2`);

    const found = [await items.leaseChanged('2026-01-01'), await items.leaseChanged('2026-01-01')];

    expect(found.map(idsOf)).toEqual([['2'], []]);
    expect(found[0]?.rows[0]?.version).toBe('2026-02-01 00:00:00.000001+00');
  });

  it('finds a row whose version went back or lies in the future', async () => {
    const items = await openRows(3);
    await embedAll(items);
    await items.run(`UPDATE public.ai_items SET updated_at = '2026-01-01' WHERE id = 2`);
    await items.run(`UPDATE public.ai_items SET updated_at = '2199-01-01' WHERE id = 3`);

    expect(idsOf(await items.leaseChanged('2026-01-01'))).toEqual(['2', '3']);
    await items.run('DELETE FROM freshet.leases');
    await embedAll(items);
    expect(idsOf(await items.leaseChanged('2026-01-01'))).toEqual([]);
  });

  it('finds rows of whole seconds that share the second of the watermark', async () => {
    const items = await openSpace(db, { updatedAtType: 'timestamp(0)' }, { timeZone: 'Europe/Berlin' });
    await items.run(`INSERT INTO public.ai_items (id, title, updated_at) VALUES
      (1, 'a', '2026-01-01 12:00:00'), (2, 'b', '2026-01-01 12:00:00')`);

    expect(await items.leaseChanged('2026-01-01 12:00:00', { limit: 1 })).toEqual({
      rows: [{ id: '1', attempts: 0, version: '2026-01-01 12:00:00' }],
      firstUnsent: { version: '2026-01-01 12:00:00', id: '2' },
    });
  });

  it('leases expired rows again whatever the watermark, counts only what had begun, and puts that last', async () => {
    const items = await openRows(5);
    const dispatchId = randomUUID();
    await items.leaseSlice({ dispatchId });
    await items.detection.confirmSent(items.space, dispatchId, ['1', '2', '3'], 60);
    await items.embedding.beginEmbedding(items.space, dispatchId, ['2', '3']);
    await items.embedding.markAnnounced(items.space, dispatchId, ['3'], 60);
    await items.run(`UPDATE freshet.leases SET expires_at = now() WHERE item_id <> '5'`);

    const { rows } = await items.leaseChanged('2199-01-01');

    expect(rows.map(row => [row.id, row.attempts])).toEqual([
      ['1', 0],
      ['4', 0],
      ['2', 1],
      ['3', 1],
    ]);
    await items.run(`UPDATE freshet.leases SET stage = 'embedding', expires_at = now() WHERE item_id = '2'`);
    expect((await items.leaseChanged(null)).rows).toMatchObject([{ id: '2', attempts: 2 }]);
  });

  it('puts rows that were there when their process died behind all others in the reconcile pass too', async () => {
    const items = await openRows(3);
    const dispatchId = randomUUID();
    await items.leaseSlice({ dispatchId });
    await items.embedding.beginEmbedding(items.space, dispatchId, ['3']);
    await items.run('UPDATE freshet.leases SET expires_at = now()');

    const first = await items.leaseSlice({ limit: 2 });
    const second = await items.leaseSlice();

    expect(first.rows.map(row => row.id).toSorted()).toEqual(['1', '2']);
    expect(second.rows).toMatchObject([{ id: '3', attempts: 1 }]);
  });

  it('leases an expired row that is stale by its row version alone', async () => {
    const items = await openRows(2);
    await embedAll(items);
    await items.run(`UPDATE public.ai_items SET title = 'silent' WHERE id = 1`);
    await items.leaseSlice();
    await items.run('UPDATE freshet.leases SET expires_at = now()');

    expect(idsOf(await items.leaseChanged('2199-01-01'))).toEqual(['1']);
  });

  it('deletes expired leases of rows that are fresh or gone', async () => {
    const items = await openRows(3);
    await items.leaseSlice();
    await embedAll(items);
    await items.run('DELETE FROM public.ai_items WHERE id = 2');
    await items.run(`UPDATE freshet.leases SET expires_at = now() WHERE item_id <> '3'`);

    expect(idsOf(await items.leaseChanged('2199-01-01'))).toEqual([]);
    expect((await items.leases()).map(lease => lease.id)).toEqual(['3']);
  });

  it('takes queued rows over from the backfill, not those being embedded, without an attempt', async () => {
    const items = await openRows(3);
    const dispatchId = randomUUID();
    await items.leaseSlice({ dispatchId });
    await items.detection.confirmSent(items.space, dispatchId, ['1', '2'], 3600);
    await items.embedding.beginEmbedding(items.space, dispatchId, ['2']);

    const { rows } = await items.leaseChanged('2026-01-01', { runId: 4 });

    expect(rows).toMatchObject([{ id: '1', attempts: 0 }]);
    expect(await items.leases()).toMatchObject([
      { id: '1', lane: 'fresh', stage: 'sending', runId: 4 },
      { id: '2', lane: 'bulk', stage: 'embedding' },
      { id: '3', lane: 'bulk', stage: 'sending' },
    ]);
  });

  it('puts expired rows of a backfill behind the edits', async () => {
    const items = await openRows(3);
    await items.leaseSlice({ limit: 1 });
    await items.run('UPDATE freshet.leases SET expires_at = now()');
    await items.run(`UPDATE public.ai_items SET updated_at = '2026-03-01' WHERE id = 1`);

    const found = await items.leaseChanged('2026-02-01', { limit: 1 });

    expect(idsOf(found)).toEqual(['1']);
    expect(found.firstUnsent).toBeNull();
  });
});

describe('leaseStaleSlice', () => {
  it('leases missing rows before outdated ones, newest first, and says what it left', async () => {
    const items = await openRows(4);
    await embedAll(items);
    await items.run(
      `UPDATE public.ai_items SET updated_at = updated_at + interval '1 day' WHERE id IN (1, 2)`,
    );
    await items.run(
      `INSERT INTO public.ai_items (id, updated_at) VALUES (5, '2020-01-01'), (6, NULL), (7, '2020-01-02')`,
    );

    const cut = await items.leaseSlice({ limit: 4 });
    const rest = await items.leaseSlice({ limit: 4 });

    expect([idsOf(cut), cut.truncated]).toEqual([['7', '5', '6', '2'], true]);
    expect([idsOf(rest), rest.truncated]).toEqual([['1'], false]);
  });

  it('finds what the version does not show: a silent edit, a second edit in one tick, NULL', async () => {
    const items = await openRows(4);
    await items.run('UPDATE public.ai_items SET updated_at = NULL WHERE id = 4');
    await embedAll(items);
    expect(idsOf(await items.leaseSlice())).toEqual([]);

    await items.run(`UPDATE public.ai_items SET title = 'silent' WHERE id IN (2, 4)`);

    expect(idsOf(await items.leaseChanged('2000-01-01'))).toEqual([]);
    expect(idsOf(await items.leaseSlice())).toEqual(['2', '4']);
  });

  it.each([
    ['bigint', ['2', '10', '33']],
    ['text', ['Öl', 'apfel', 'Zebra']],
    ['text COLLATE "C"', ['a', 'B', 'é']],
    ['uuid', [1, 2, 3].map(n => `00000000-0000-0000-0000-00000000000${n}`)],
  ] as const)('walks keys of type %s in their own order until the end', async (keyType, ids) => {
    const items = await openSpace(db, { keyType });
    for (const id of ids) await items.run(`INSERT INTO public.ai_items (id, title) VALUES ('${id}', 't')`);
    const ordered = await items.select<{ id: string }>(
      'SELECT id::text FROM public.ai_items AS s ORDER BY s.id',
    );

    const seen: string[] = [];
    let after: string | null = null;
    for (let slices = 0; slices < ids.length + 1; slices += 1) {
      const through: string | null = await items.detection.findSliceEnd(items.space, after, 1);
      const range = { after, through };
      seen.push(...idsOf(await items.detection.leaseStaleSlice(items.space, { ...request(), ...range })));
      after = through;
    }

    expect(seen).toEqual(ordered.map(row => row.id));
    expect(after).toBeNull();
  });

  it('leaves rows that are on their way', async () => {
    const items = await openRows(3);
    await items.leaseChanged('2026-01-01 00:00:02+00');

    expect(idsOf(await items.leaseSlice())).toEqual(['1']);
    expect(await items.detection.countInFlight(items.space)).toBe(3);
  });
});

describe('what detect does with its leases', () => {
  it('extends what was sent and frees what was not, without an attempt', async () => {
    const items = await openRows(3);
    const dispatchId = randomUUID();
    await items.leaseChanged('2026-01-01', { dispatchId });

    await items.detection.confirmSent(items.space, dispatchId, ['1', '2'], 5000);
    await items.detection.abandonLeases(items.space, { dispatchId, stage: 'sending' }, ['2', '3']);

    expect(await items.leases()).toMatchObject([
      { id: '1', stage: 'queued', secondsLeft: 5000 },
      { id: '2', stage: 'queued', secondsLeft: 5000 },
      { id: '3', stage: 'queued', live: false },
    ]);
    expect((await items.leaseChanged(null)).rows).toMatchObject([{ id: '3', attempts: 0 }]);
  });

  it('begins leases as queued where nobody will confirm them, and frees those that still are', async () => {
    const items = await openRows(4);
    const dispatch = { dispatchId: randomUUID(), stage: 'queued' } as const;
    await items.leaseSlice({ ...dispatch, leaseSeconds: 5000 });
    expect(await items.leases()).toMatchObject(Array(4).fill({ stage: 'queued', secondsLeft: 5000 }));
    await items.embedding.beginEmbedding(items.space, dispatch.dispatchId, ['1']);

    await items.detection.abandonLeases(items.space, dispatch, ['1', '2']);
    await items.detection.abandonLeases(items.space, { ...dispatch, dispatchId: randomUUID() });
    const some = (await items.leases()).map(({ live }) => live);
    await items.detection.abandonLeases(items.space, dispatch);

    expect(some).toEqual([true, false, true, true]);
    expect(await items.leases()).toMatchObject([
      { id: '1', stage: 'embedding', live: true },
      ...['2', '3', '4'].map(id => ({ id, stage: 'queued', live: false, attempts: 0 })),
    ]);
  });

  it('does not confirm over a worker that was faster', async () => {
    const items = await openRows(2);
    const dispatchId = randomUUID();
    await items.leaseChanged('2026-01-01', { dispatchId });
    await items.embedding.beginEmbedding(items.space, dispatchId, ['1', '2']);
    await items.embedding.postponeLeases(items.space, dispatchId, ['2'], 30);

    await items.detection.confirmSent(items.space, dispatchId, ['1', '2'], 5000);

    expect(await items.leases()).toMatchObject([
      { id: '1', stage: 'embedding', secondsLeft: 5000 },
      { id: '2', stage: 'queued', secondsLeft: 30 },
    ]);
  });

  it('reports how many edits wait and since when, whatever became of their leases', async () => {
    const items = await openRows(3);
    await items.leaseSlice({ limit: 1 });
    await items.leaseChanged('2026-01-01');
    await items.run(
      `UPDATE freshet.leases SET first_seen = now() - interval '90 seconds', expires_at = now() WHERE item_id = '1'`,
    );
    await items.leaseChanged(null);

    const staleness = await items.detection.readStaleness(items.space);

    expect(staleness.fresh.rows).toBe(2);
    expect(staleness.fresh.oldestAgeSeconds).toBeGreaterThanOrEqual(90);
    expect(staleness.bulk.rows).toBe(1);
    expect(staleness.bulk.oldestAgeSeconds).toBeLessThan(90);
  });

  it('reports that edits wait since a look first left some, if no lease is older', async () => {
    const items = await openRows(2);
    await items.leaseChanged('2026-01-01', { limit: 1 });
    await items.detection.writeUnsent(items.space, true);
    await items.run(`UPDATE freshet.positions SET unsent_since = now() - interval '300 seconds'`);

    const { fresh, bulk } = await items.detection.readStaleness(items.space);

    expect(fresh.rows).toBe(1);
    expect(fresh.oldestAgeSeconds).toBeGreaterThanOrEqual(300);
    expect(bulk).toEqual({ rows: 0, oldestAgeSeconds: 0 });
  });

  it('counts the edits that a look could still lease, up to a bound', async () => {
    const items = await openRows(6);
    const count = (atMost = 100) => items.detection.countUnsentRows(items.space, atMost);
    const blind = await count();
    await items.detection.writeWatermark(items.space, ['2026-01-01 00:00:00+00']);
    const all = await count();
    await items.leaseChanged('2026-01-01', { limit: 2 });
    await items.run("UPDATE freshet.leases SET expires_at = now() WHERE item_id = '1'");
    await items.leaseSlice({ limit: 1, stage: 'queued' });

    expect([blind, all, await count(), await count(3)]).toEqual([0, 6, 4, 3]);
  });

  it('expires the leases of runs that are gone', async () => {
    const items = await openRows(3);
    const run = await db.beginRun();
    await items.leaseChanged('2026-01-01 00:00:03+00', { runId: run.runId });
    await items.leaseChanged('2026-01-01 00:00:02+00', { runId: run.runId === 1 ? 2 : run.runId - 1 });
    await items.leaseChanged('2026-01-01 00:00:01+00');

    const expired = await items.detection.expireLeasesOfDeadRuns();
    const live = (await items.leases()).map(lease => lease.live);
    await run.end();
    const later = await items.detection.expireLeasesOfDeadRuns();

    expect([expired, live, later]).toEqual([1, [true, false, true], 1]);
  });
});
