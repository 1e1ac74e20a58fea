import { sql } from 'kysely';
import type { Space } from '../../../core/model/space.ts';
import { leasesOf } from '../detection/lock-leases.ts';
import { prepared } from '../prepared.ts';
import type { SqlDatabase } from '../sql-database.ts';

/**
 * Sets the stage of the dispatch's leases to `announced` and gives them a new expiry.
 * The writer can be faster. A lease that the writer deleted or gave back (`queued`) is left alone.
 */
export async function markAnnounced(
  db: SqlDatabase,
  space: Space,
  dispatchId: string,
  ids: readonly string[],
  leaseSeconds: number,
): Promise<void> {
  await sql`${prepared}UPDATE freshet.leases AS l SET
      stage = 'announced', expires_at = now() + ${leaseSeconds}::float8 * interval '1 second'
    WHERE ${leasesOf(space, dispatchId, ids)} AND l.stage <> 'queued'`.execute(db.kysely);
}
