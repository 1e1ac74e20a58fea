import { sql } from 'kysely';
import type { Space } from '../../../core/model/space.ts';
import { lockLeases } from '../detection/lock-leases.ts';
import type { SqlDatabase } from '../sql-database.ts';

/**
 * Expires leases of the dispatch whose result object is missing or corrupt.
 * The stage stays `announced`, so that the next lease counts an attempt. A row whose objects are
 * lost again and again thereby comes to an end.
 */
export async function expireLeases(
  db: SqlDatabase,
  space: Space,
  dispatchId: string,
  ids: readonly string[],
): Promise<void> {
  await sql`WITH mine AS MATERIALIZED (${lockLeases(space, dispatchId, ids)})
    UPDATE freshet.leases AS l SET expires_at = now()
    FROM mine
    WHERE l.space_id = mine.space_id AND l.item_id = mine.item_id AND l.dispatch_id = ${dispatchId}::uuid
      AND l.expires_at > now()`.execute(db.kysely);
}
