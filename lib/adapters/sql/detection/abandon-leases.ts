import { sql } from 'kysely';
import type { Space } from '../../../core/model/space.ts';
import type { LeaseDispatch } from '../../../ports/detection-store.ts';
import type { SqlDatabase } from '../sql-database.ts';
import { lockLeases } from './lock-leases.ts';

/**
 * Expires the leases of rows whose messages were not accepted.
 * The expired lease stays: the next incremental pass finds the row by the lease, even where the
 * watermark has passed the row.
 */
export async function abandonLeases(
  db: SqlDatabase,
  space: Space,
  { dispatchId, stage }: LeaseDispatch,
  ids?: readonly string[],
): Promise<void> {
  await sql`WITH mine AS MATERIALIZED (${lockLeases(space, dispatchId, ids)})
    UPDATE freshet.leases AS l SET stage = 'queued', expires_at = now()
    FROM mine
    WHERE l.space_id = mine.space_id AND l.item_id = mine.item_id AND l.dispatch_id = ${dispatchId}::uuid
      AND l.stage = ${stage}::text`.execute(db.kysely);
}
