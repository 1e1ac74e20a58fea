import { sql } from 'kysely';
import type { Space } from '../../../core/model/space.ts';
import { arrayLiteral } from '../array-literal.ts';
import { quoteSpace } from '../quoted-space.ts';
import type { SqlDatabase } from '../sql-database.ts';

/**
 * Assigned, never the later of old and new: a transaction that is seen late must be able to move it back. The candidates are compared as
 * what they are: as text, `10:00:00.5+00` and `10:00:00+00` stand in the wrong order.
 */
export async function writeWatermark(
  db: SqlDatabase,
  space: Space,
  candidates: readonly (string | null)[],
): Promise<void> {
  const { versionType } = quoteSpace(space);
  await sql`INSERT INTO freshet.positions (space_id, watermark)
    SELECT ${space.spaceId}::int, min(u.candidate)::text
      FROM unnest(${arrayLiteral(candidates)}::${versionType}[]) AS u (candidate)
    HAVING min(u.candidate) IS NOT NULL
    ON CONFLICT (space_id) DO UPDATE SET watermark = excluded.watermark`.execute(db.kysely);
}
