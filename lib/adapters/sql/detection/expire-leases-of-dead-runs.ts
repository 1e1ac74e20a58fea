import { sql } from 'kysely';
import { liveRuns } from '../live-lease.ts';
import type { SqlDatabase } from '../sql-database.ts';

/**
 * Expires the leases of local runs that are dead and resolves with their number.
 * A run that lives holds its advisory lock. PostgreSQL frees the lock with the connection, however
 * the process ended.
 * The stage of a lease stays. A row that was being embedded when the process died counts an
 * attempt; a row that merely waited does not. `SKIP LOCKED` leaves out a lease that another session
 * changes at this moment, because such a lease is not dead.
 */
export async function expireLeasesOfDeadRuns(db: SqlDatabase): Promise<number> {
  const { rows } = await sql<{ expired: number }>`
    WITH dead AS (
      SELECT space_id, item_id FROM freshet.leases
       WHERE run_id IS NOT NULL AND expires_at > now()
         AND run_id NOT IN (${liveRuns()})
       ORDER BY space_id, item_id
         FOR UPDATE SKIP LOCKED
    ), expired AS (
      UPDATE freshet.leases AS l SET expires_at = now() FROM dead
       WHERE l.space_id = dead.space_id AND l.item_id = dead.item_id
      RETURNING 1
    )
    SELECT count(*)::int AS expired FROM expired`.execute(db.kysely);
  return rows[0]?.expired ?? 0;
}
