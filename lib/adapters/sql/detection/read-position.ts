import { sql } from 'kysely';
import type { Space } from '../../../core/model/space.ts';
import type { DetectionPosition } from '../../../ports/detection-store.ts';
import type { SqlDatabase } from '../sql-database.ts';

/**
 * Reads how far the passes have come in the space.
 * A space that no pass has looked at yet may have no row; its watermark and cursor then are null.
 */
export async function readPosition(db: SqlDatabase, space: Space): Promise<DetectionPosition> {
  const { rows } = await sql<DetectionPosition>`
    SELECT watermark, reconcile_cursor AS "reconcileCursor",
           last_pass_ended_at::text AS "lastPassEndedAt", pass_open AS "passOpen"
      FROM freshet.positions WHERE space_id = ${space.spaceId}::int`.execute(db.kysely);
  return rows[0] ?? { watermark: null, reconcileCursor: null, lastPassEndedAt: null, passOpen: true };
}
