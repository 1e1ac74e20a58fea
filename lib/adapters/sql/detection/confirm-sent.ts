import { sql } from 'kysely';
import type { Space } from '../../../core/model/space.ts';
import { prepared } from '../prepared.ts';
import type { SqlDatabase } from '../sql-database.ts';
import { leasesOf } from './lock-leases.ts';

/**
 * Sets the stage of the leases that were sent to `queued` and extends them.
 * A worker can be faster than the confirmation. A row that is being embedded keeps its stage and
 * gets the longer lease. A row that was given back or announced meanwhile keeps both stage and
 * lease.
 */
export async function confirmSent(
  db: SqlDatabase,
  space: Space,
  dispatchId: string,
  ids: readonly string[],
  leaseSeconds: number,
): Promise<void> {
  await sql`${prepared}UPDATE freshet.leases AS l SET
      stage = CASE l.stage WHEN 'sending' THEN 'queued' ELSE l.stage END,
      expires_at = greatest(l.expires_at, now() + ${leaseSeconds}::float8 * interval '1 second')
    WHERE ${leasesOf(space, dispatchId, ids)} AND l.stage IN ('sending', 'embedding')`.execute(db.kysely);
}
