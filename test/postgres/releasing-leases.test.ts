import { randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { SqlDatabase } from '../../lib/adapters/sql/database.ts';
import { type OpenedSpace, openSpace } from '../database/open-space.ts';
import { openTestDatabase } from '../database/open-test-database.ts';
import { buildResult, embedded } from '../factories/result-object.ts';

const IDS = ['1', '2', '3', '4', '5', '6'];

let db: SqlDatabase;
let items: OpenedSpace;
beforeEach(async () => {
  db = await openTestDatabase();
  items = await openSpace(db);
});
afterEach(() => db.close());

/** Leases all rows, of which 1, 3 and 5 are then settled and 2, 4 and 6 overtaken. */
async function dispatchRows(): Promise<string> {
  await items.run(`INSERT INTO public.ai_items (id, title) SELECT n, 'text' FROM generate_series(1, 6) AS n`);
  const [dispatchId, readings] = [randomUUID(), await items.read(...IDS)];
  await items.outcomes.writeResult(
    items.space,
    buildResult(items.space, randomUUID(), {
      outcomes: readings.map(reading => embedded(reading, [1, 0, 0])),
    }),
  );
  await items.run(`INSERT INTO freshet.leases (space_id, item_id, dispatch_id, lane, stage, attempts, expires_at)
    SELECT ${items.space.spaceId}, n::text, '${dispatchId}', 'bulk', 'embedding', 2, now() + interval '1 hour'
      FROM generate_series(1, 6) AS n`);
  await items.run(`UPDATE public.ai_items SET title = 'edited' WHERE id % 2 = 0`);
  return dispatchId;
}

/** Releases the rows while `change` of their leases is not committed yet. */
async function releaseDuring(change: string, dispatchId: string): Promise<void> {
  let released: Promise<void> | undefined;
  await db.kysely.transaction().execute(async other => {
    await sql.raw(change).execute(other);
    released = items.embedding.dropLeases(items.space, dispatchId, IDS);
    await waitUntilBlocked();
  });
  await released;
}

/** Until a backend of this database waits for a lock: no time is guessed. */
async function waitUntilBlocked(): Promise<void> {
  for (;;) {
    const { rows } = await sql<{ blocked: boolean }>`SELECT EXISTS (SELECT FROM pg_stat_activity
      WHERE datname = current_database() AND wait_event_type = 'Lock') AS blocked`.execute(db.kysely);
    if (rows[0]?.blocked) return;
  }
}

async function states() {
  const leases = await items.leases();
  return leases.map(({ id, dispatchId, stage, attempts, live }) => ({
    id,
    dispatchId,
    stage,
    attempts,
    live,
  }));
}

describe('releasing leases', () => {
  it('leaves those that another dispatch takes over at that moment, whether settled or overtaken', async () => {
    const [dispatchId, other] = [await dispatchRows(), randomUUID()];

    await releaseDuring(
      `UPDATE freshet.leases SET dispatch_id = '${other}' WHERE item_id IN ('3', '4')`,
      dispatchId,
    );

    const overtaken = { dispatchId, stage: 'queued', attempts: 0, live: false };
    const taken = { dispatchId: other, stage: 'embedding', attempts: 2, live: true };
    expect(await states()).toEqual([
      { id: '2', ...overtaken },
      { id: '3', ...taken },
      { id: '4', ...taken },
      { id: '6', ...overtaken },
    ]);
  });

  it('ends those that their own dispatch announces at that moment', async () => {
    const dispatchId = await dispatchRows();

    await releaseDuring(
      `UPDATE freshet.leases SET stage = 'announced' WHERE item_id IN ('3', '4')`,
      dispatchId,
    );

    const overtaken = { dispatchId, stage: 'queued', attempts: 0, live: false };
    expect(await states()).toEqual(['2', '4', '6'].map(id => ({ id, ...overtaken })));
  });

  it('leaves those that are deleted at that moment', async () => {
    const dispatchId = await dispatchRows();

    await releaseDuring(`DELETE FROM freshet.leases WHERE item_id IN ('3', '4')`, dispatchId);

    expect((await states()).map(({ id }) => id)).toEqual(['2', '6']);
  });
});
