import { sql } from 'kysely';
import type { Space } from '../../../core/model/space.ts';
import { arrayLiteral } from '../array-literal.ts';
import { quoteSpace } from '../quoted-space.ts';
import type { SqlDatabase } from '../sql-database.ts';

/**
 * Sets the watermark to the earliest of the candidates; null is no candidate.
 * The watermark may move back, because a transaction that is seen late must be able to move it. The
 * candidates are compared in the version column's type. As text, `10:00:00.5+00` stands before
 * `10:00:00+00` in many collations.
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
