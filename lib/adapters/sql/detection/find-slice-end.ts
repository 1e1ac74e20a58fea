import { sql } from 'kysely';
import type { Space } from '../../../core/model/space.ts';
import { quoteSpace } from '../quoted-space.ts';
import type { SqlDatabase } from '../sql-database.ts';
import { withinRange } from './key-range.ts';

/**
 * Finds the key that ends a slice of `rows` keys after `cursor`; null for the last slice.
 * OFFSET walks the key's index alone (an index-only scan). The skipped keys never leave the server.
 */
export async function findSliceEnd(
  db: SqlDatabase,
  space: Space,
  cursor: string | null,
  rows: number,
): Promise<string | null> {
  const { source, key, keyType } = quoteSpace(space);
  const range = { after: cursor, through: null };
  const statement = sql<{ id: string }>`
    SELECT ${key}::text AS id FROM ${source} AS s
     WHERE true${withinRange(key, keyType, range)}
     ORDER BY ${key} OFFSET ${rows - 1}::int LIMIT 1`;
  const result = await statement.execute(db.kysely);
  return result.rows[0]?.id ?? null;
}
