import { type Kysely, sql } from 'kysely';
import type { TouchEntry } from '../../../core/model/result-object.ts';
import type { Space } from '../../../core/model/space.ts';
import { arrayLiteral } from '../array-literal.ts';
import type { FreshetTables } from '../freshet-tables.ts';
import { quoteSpace } from '../quoted-space.ts';

/**
 * Brings version, `xmin` and stamp of outcomes up to a reading with the same text.
 * Only an outcome is touched that still has the hash that was compared, and for which no later
 * reading was written. Without the hash, a wrong vector is stored as fresh (shown).
 * No indexed column changes and the vector stays where it is, so the update is HOT. The conditions
 * stand twice: the first ones are of the statement's snapshot, and those of the UPDATE are checked
 * on the locked row.
 * Resolves with the number of rows.
 */
export async function touchOutcomes(
  db: Kysely<FreshetTables>,
  space: Space,
  entries: readonly TouchEntry[],
): Promise<number> {
  if (entries.length === 0) return 0;
  const { source, vectors, key, keyType, versionType } = quoteSpace(space);
  const { rows } = await sql<{ touched: number }>`
    WITH latest AS MATERIALIZED (
      SELECT DISTINCT ON (u.id) u.id, decode(u.content_hash, 'hex') AS content_hash, u.version, u.xid, u.read_at
        FROM unnest(${arrayLiteral(entries.map(entry => entry.id))}::${keyType}[],
                    ${arrayLiteral(entries.map(entry => entry.contentHash))}::text[],
                    ${arrayLiteral(entries.map(entry => entry.version))}::${versionType}[],
                    ${arrayLiteral(entries.map(entry => entry.xid))}::xid[],
                    ${arrayLiteral(entries.map(entry => entry.readAt))}::timestamptz[])
          AS u (id, content_hash, version, xid, read_at)
       ORDER BY u.id, u.read_at DESC
    ), locked AS MATERIALIZED (
      SELECT t.item_id, latest.content_hash, latest.version, latest.xid, latest.read_at
        FROM latest
        JOIN ${source} AS s ON ${key} = latest.id
        JOIN ${vectors} AS t ON t.item_id = ${key} AND t.chunk = 0
         AND t.content_hash = latest.content_hash AND t.read_at <= latest.read_at
       ORDER BY t.item_id
         FOR NO KEY UPDATE OF t
    ), written AS (
      UPDATE ${vectors} AS t SET source_version = locked.version, source_xid = locked.xid,
             read_at = locked.read_at, missing_since = NULL
        FROM locked
       WHERE t.item_id = locked.item_id AND t.chunk = 0
         AND t.content_hash = locked.content_hash AND t.read_at <= locked.read_at
      RETURNING 1
    )
    SELECT count(*)::int AS touched FROM written`.execute(db);
  return rows[0]?.touched ?? 0;
}
