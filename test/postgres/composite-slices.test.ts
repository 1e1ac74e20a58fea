import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { SqlDatabase } from '../../lib/adapters/sql/database.ts';
import { type OpenedSpace, openSpace, request } from '../database/open-space.ts';
import { openTestDatabase } from '../database/open-test-database.ts';

/** Rows that share the first column of their key. */
const ROWS = 100_000;
const SLICE_ROWS = 16_000;
/**
 * The most that a slice may take, on a machine that others use too.
 * A nested loop over the rows of the tenant takes 39 s (measured), the merge join 22 ms.
 */
const MOST_MS = 4_000;

let db: SqlDatabase;
let items: OpenedSpace;

beforeAll(async () => {
  db = await openTestDatabase();
  items = await openSpace(
    db,
    { keyColumns: { tenant: 'integer', item: 'bigint' } },
    { text: { columns: ['title'] } },
  );
  await items.run(`INSERT INTO public.ai_items (tenant, item, title, updated_at)
    SELECT 7, n, 't' || n, '2026-01-01Z' FROM generate_series(1, ${ROWS}) AS n`);
  await items.run(`INSERT INTO freshet.${items.space.vectorTable}
      (item_id, item_id_2, outcome, content_hash, source_version, source_xid, read_at, embedding, embedded_at)
    SELECT tenant, item, 'embedded', '\\x01', updated_at, xmin, now(), '[1,0,0]', now() FROM public.ai_items`);
  // Five rows of each thousand are stale, five others gone.
  await items.run(`UPDATE public.ai_items SET title = 'new' WHERE item % 200 = 1`);
  await items.run('DELETE FROM public.ai_items WHERE item % 200 = 2');
  await items.run(`ANALYZE public.ai_items; ANALYZE freshet.${items.space.vectorTable}`);
}, 300_000);
afterAll(() => db.close());

async function timed<Value>(work: () => Promise<Value>): Promise<Value> {
  const startedMs = performance.now();
  const value = await work();
  expect(performance.now() - startedMs).toBeLessThan(MOST_MS);
  return value;
}

it('100,000 rows of one tenant are walked in slices, each of which takes a fraction of a second', async () => {
  let after: string | null = null;
  let slices = 0;
  let leased = 0;
  let marked = 0;
  do {
    const from: string | null = after;
    const through: string | null = await timed(() =>
      items.detection.findSliceEnd(items.space, from, SLICE_ROWS),
    );
    const range = { after: from, through };
    const slice = await timed(() =>
      items.detection.leaseStaleSlice(items.space, {
        ...request({ dispatchId: randomUUID(), limit: 20_000 }),
        ...range,
      }),
    );
    const orphans = await timed(() => items.detection.removeOrphans(items.space, range));
    expect(orphans.stopped).toBeNull();
    leased += slice.rows.length;
    marked += orphans.marked;
    slices += 1;
    after = through;
  } while (after !== null);

  expect({ slices, leased, marked }).toEqual({ slices: 7, leased: ROWS / 200, marked: ROWS / 200 });
}, 300_000);
