import { sql } from 'kysely';
import type { Space } from '../../../core/model/space.ts';
import type { SqlDatabase } from '../sql-database.ts';

/** Assigned, never the greater of two: an older horizon (a transaction that was seen late) must be able to move it back. */
export async function writeWatermark(db: SqlDatabase, space: Space, watermark: string | null): Promise<void> {
  await sql`INSERT INTO freshet.positions (space_id, watermark) VALUES (${space.spaceId}::int, ${watermark}::text)
    ON CONFLICT (space_id) DO UPDATE SET watermark = excluded.watermark`.execute(db.kysely);
}
