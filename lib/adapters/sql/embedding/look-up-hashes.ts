import { sql } from 'kysely';
import type { Space } from '../../../core/model/space.ts';
import { prepared } from '../prepared.ts';
import type { SqlDatabase } from '../sql-database.ts';
import { oneHolder } from './one-holder.ts';

/**
 * Looks up which hashes (hexadecimal) have a vector in the space, and which were refused.
 * Each hash costs two index look-ups, and only hashes that were found come back. PostgreSQL would
 * make EXISTS a hash of the whole vector table (2.7 ms per call at 10,000 rows, growing). It would
 * make an equality with LIMIT 1 a scan of the table where statistics are old. `oneHolder` leaves no
 * such choice for the vectors, and OFFSET 0 leaves none for the verdicts.
 */
export async function lookUpHashes(
  db: SqlDatabase,
  space: Space,
  hashes: readonly string[],
): Promise<{ readonly embedded: ReadonlySet<string>; readonly refused: ReadonlyMap<string, string> }> {
  if (hashes.length === 0) return { embedded: new Set(), refused: new Map() };
  const { rows } = await sql<{ hash: string; embedded: boolean; code: string | null }>`${prepared}
    SELECT encode(u.hash, 'hex') AS hash, v.held IS NOT NULL AS embedded, f.code
      FROM unnest(${byteaLiteral(new Set(hashes))}::bytea[]) AS u (hash)
      LEFT JOIN LATERAL (SELECT true AS held ${oneHolder(space, sql`u.hash`)}) AS v ON true
      LEFT JOIN LATERAL (SELECT f.code FROM freshet.failures AS f
                          WHERE f.space_id = ${space.spaceId}::int AND f.content_hash = u.hash OFFSET 0) AS f ON true
     WHERE v.held OR f.code IS NOT NULL`.execute(db.kysely);
  return {
    embedded: new Set(rows.filter(row => row.embedded).map(row => row.hash)),
    refused: new Map(rows.flatMap(row => (row.code === null ? [] : [[row.hash, row.code] as const]))),
  };
}

/** Writes hexadecimal hashes as a `bytea[]`, which the server decodes once, as it reads it. */
function byteaLiteral(hashes: ReadonlySet<string>): string {
  return `{${[...hashes].map(hash => `"\\\\x${hash}"`).join(',')}}`;
}
