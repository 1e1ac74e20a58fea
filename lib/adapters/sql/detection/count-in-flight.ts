import { sql } from 'kysely';
import type { Space } from '../../../core/model/space.ts';
import type { SqlDatabase } from '../sql-database.ts';

/**
 * Counts the unexpired leases of the space.
 * The count reads by the prefix of the primary key, and `maxInFlight` bounds what there is to
 * count.
 */
export async function countInFlight(db: SqlDatabase, space: Space): Promise<number> {
  const { rows } = await sql<{ leases: number }>`
    SELECT count(*)::int AS leases FROM freshet.leases
     WHERE space_id = ${space.spaceId}::int AND expires_at > now()`.execute(db.kysely);
  return rows[0]?.leases ?? 0;
}
