import { expect, test } from 'vitest';
import type { LeaseRequest, ScanPlace } from '../../lib/ports/detection-store.ts';
import { openSpace, request } from './open-space.ts';
import { openTestDatabase } from './open-test-database.ts';

const FROM = { version: '2025-02-01 00:00:00+00', id: '1' };

/** Thirty rows of one tenant in a mass change, then three of another and one of none. */
async function openTenants() {
  const db = await openTestDatabase();
  const search = { filters: [], tenant: 'summary' };
  const items = await openSpace(db, {}, { text: { columns: ['title'] }, search });
  await items.run(`INSERT INTO public.ai_items (id, title, summary, updated_at)
    SELECT n, 't', CASE WHEN n <= 30 THEN 'crowd' WHEN n <= 33 THEN 'few' END,
           CASE WHEN n <= 30 THEN '2025-02-01 00:00Z' ELSE '2025-02-02 00:00Z' END::timestamptz
      FROM generate_series(1, 34) AS n`);
  const walkBehind = (
    walkedRows: number,
    changes: Partial<LeaseRequest & { readonly newerThan: ScanPlace }> = {},
  ) => {
    const page = ['1', '2', '3'];
    const asked = { ...request({ limit: 10, ...changes }, 'fresh'), from: FROM, page, walkedRows };
    return items.detection.leaseBehindCrowd(items.space, asked);
  };
  const leaseBehind = async (walkedRows: number, limit = 10, changes: Partial<LeaseRequest> = {}) =>
    (await walkBehind(walkedRows, { limit, ...changes })).rows.map(({ id }) => id);
  return { ...items, walkBehind, leaseBehind };
}

test('rows of tenants that do not crowd a page are leased behind it, from the newest end, once', async () => {
  const { db, leaseBehind } = await openTenants();
  try {
    expect(await leaseBehind(2)).toEqual(['33', '34']);
    expect(await leaseBehind(100, 1)).toEqual(['31']);
    expect(await leaseBehind(100)).toEqual(['32']);
    expect(await leaseBehind(100)).toEqual([]);
  } finally {
    await db.close();
  }
});

test('rows that were in a call when a process died keep nobody behind them from a look that leaves them out', async () => {
  const { db, run, space, leaseBehind } = await openTenants();
  try {
    await run(`INSERT INTO freshet.leases
        (space_id, item_id, dispatch_id, lane, stage, attempts, run_id, first_seen, expires_at)
      SELECT ${space.spaceId}, id, gen_random_uuid(), 'fresh', 'embedding', 0, NULL, now(), now() - interval '1 s'
        FROM unnest(ARRAY['31', '32']) AS id`);

    expect(await leaseBehind(100, 2, { maxAttempts: 0 })).toEqual(['33', '34']);
    expect(await leaseBehind(100, 2)).toEqual(['31', '32']);
  } finally {
    await db.close();
  }
});

test('a row that is dated ahead is walked, and is never one that a walk goes on from', async () => {
  const { db, run, walkBehind } = await openTenants();
  try {
    await run(`INSERT INTO public.ai_items (id, title, summary, updated_at)
      SELECT id, 't', 'ahead', now() + interval '1 day' FROM unnest(ARRAY[35, 36]) AS id`);

    const { newest, end } = await walkBehind(2, { limit: 1 });
    const newer = await walkBehind(2, { newerThan: newest! });

    expect([newest?.id, end?.id]).toEqual(['34', '35']);
    expect(newer).toMatchObject({ rows: [{ id: '36' }], newest: { id: '34' }, end: null });
  } finally {
    await db.close();
  }
});

test('a row that cannot be looked at leaves the walk its way, and the rows beside it to the scan', async () => {
  const { db, run, walkBehind } = await openTenants();
  try {
    await run(`ALTER TABLE public.ai_items RENAME TO base`);
    await run(`CREATE VIEW public.ai_items AS
      SELECT id, title, tags, updated_at,
             CASE WHEN id = 33 THEN (1 / (id - 33))::text ELSE summary END AS summary FROM public.base`);

    const { rows, newest, end, isCut } = await walkBehind(2);

    expect(rows).toEqual([]);
    expect({ newest: newest?.id, end: end?.id, isCut }).toEqual({ newest: '34', end: '33', isCut: false });
  } finally {
    await db.close();
  }
});

test('a column that is gone keeps nobody from being embedded: nothing is leased behind the crowd', async () => {
  const { db, run, leaseBehind, leaseChanged } = await openTenants();
  try {
    await run('ALTER TABLE public.ai_items DROP COLUMN summary');

    expect(await leaseBehind(100)).toEqual([]);
    expect((await leaseChanged('2025-01-01')).rows).toHaveLength(34);
  } finally {
    await db.close();
  }
});
