import { sql } from 'kysely';
import { liveRuns } from '../live-lease.ts';
import type { SqlDatabase } from '../sql-database.ts';

/**
 * A run that lives holds its advisory lock, and PostgreSQL lets it go with the connection, however the process ended. The stage stays:
 * rows that were being embedded when the process died count an attempt, rows that merely waited do not. SKIP LOCKED: a lease that
 * somebody changes at this moment is not dead.
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
