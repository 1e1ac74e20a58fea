import { sql } from 'kysely';
import type { Space } from '../../../core/model/space.ts';
import type { SqlDatabase } from '../sql-database.ts';

/**
 * Writes how far the reconcile pass has come and, where it ended, when it ended.
 * A pass counts as begun when the pass before it ended. That is never later than its first slice,
 * so an orphan which the pass itself marked is not taken for an orphan that was missing during the
 * whole pass. The first pass of a space has no beginning and removes nothing.
 */
export async function writeReconcileCursor(
  db: SqlDatabase,
  space: Space,
  cursor: string | null,
  passEnded: boolean,
): Promise<void> {
  await sql`INSERT INTO freshet.positions AS p (space_id, reconcile_cursor, pass_open, pass_started_at, last_pass_ended_at)
    VALUES (${space.spaceId}::int, ${cursor}::text, NOT ${passEnded}::bool,
            CASE WHEN ${passEnded}::bool THEN now() END, CASE WHEN ${passEnded}::bool THEN now() END)
    ON CONFLICT (space_id) DO UPDATE SET
      reconcile_cursor = excluded.reconcile_cursor,
      pass_open = excluded.pass_open,
      last_pass_started_at = CASE WHEN ${passEnded}::bool THEN p.pass_started_at ELSE p.last_pass_started_at END,
      pass_started_at = coalesce(excluded.pass_started_at, p.pass_started_at),
      last_pass_ended_at = coalesce(excluded.last_pass_ended_at, p.last_pass_ended_at)`.execute(db.kysely);
}
