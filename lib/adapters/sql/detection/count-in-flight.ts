import { sql } from 'kysely';
import type { Space } from '../../../core/model/space.ts';
import type { SqlDatabase } from '../sql-database.ts';

/** Counts by the key's prefix; `maxInFlight` bounds what there is to count. */
export async function countInFlight(db: SqlDatabase, space: Space): Promise<number> {
  const { rows } = await sql<{ leases: number }>`
    SELECT count(*)::int AS leases FROM freshet.leases
     WHERE space_id = ${space.spaceId}::int AND expires_at > now()`.execute(db.kysely);
  return rows[0]?.leases ?? 0;
}
