import { sql } from 'kysely';
import type { Space } from '../../../core/model/space.ts';
import { arrayLiteral } from '../array-literal.ts';
import { quoteSpace } from '../quoted-space.ts';
import type { SqlDatabase } from '../sql-database.ts';

/** Two index look-ups per hash; only hashes that were found come back. */
export async function lookUpHashes(
  db: SqlDatabase,
  space: Space,
  hashes: readonly string[],
): Promise<{ readonly embedded: ReadonlySet<string>; readonly refused: ReadonlyMap<string, string> }> {
  if (hashes.length === 0) return { embedded: new Set(), refused: new Map() };
  const { vectors } = quoteSpace(space);
  const { rows } = await sql<{ hash: string; embedded: boolean; code: string | null }>`
    SELECT found.hash, found.embedded, found.code
      FROM (SELECT u.hash, f.code,
                   EXISTS (SELECT FROM ${vectors} AS v
                            WHERE v.content_hash = decode(u.hash, 'hex') AND v.outcome = 'embedded') AS embedded
              FROM unnest(${arrayLiteral([...new Set(hashes)])}::text[]) AS u (hash)
              LEFT JOIN freshet.failures AS f
                ON f.space_id = ${space.spaceId}::int AND f.content_hash = decode(u.hash, 'hex')) AS found
     WHERE found.embedded OR found.code IS NOT NULL`.execute(db.kysely);
  return {
    embedded: new Set(rows.filter(row => row.embedded).map(row => row.hash)),
    refused: new Map(rows.flatMap(row => (row.code === null ? [] : [[row.hash, row.code] as const]))),
  };
}
