import { sql } from 'kysely';
import type { Space } from '../../../core/model/space.ts';
import { lockLeases } from '../detection/lock-leases.ts';
import type { SqlDatabase } from '../sql-database.ts';

/**
 * Gives rows back: their leases are `queued` and expire after `afterSeconds`.
 * The stage `queued` keeps the next lease from counting an attempt. Rows whose result is announced
 * belong to the writer and are left alone.
 */
export async function postponeLeases(
  db: SqlDatabase,
  space: Space,
  dispatchId: string,
  ids: readonly string[],
  afterSeconds: number,
): Promise<void> {
  await sql`WITH mine AS MATERIALIZED (${lockLeases(space, dispatchId, ids)})
    UPDATE freshet.leases AS l SET
      stage = 'queued', expires_at = now() + ${afterSeconds}::float8 * interval '1 second'
    FROM mine
    WHERE l.space_id = mine.space_id AND l.item_id = mine.item_id AND l.dispatch_id = ${dispatchId}::uuid
      AND l.stage <> 'announced'`.execute(db.kysely);
}
