import { type Kysely, sql } from 'kysely';
import type { CopyEntry } from '../../../core/model/result-object.ts';
import type { Space } from '../../../core/model/space.ts';
import { arrayLiteral } from '../array-literal.ts';
import { oneHolder } from '../embedding/one-holder.ts';
import type { FreshetTables } from '../freshet-tables.ts';
import { quoteSpace } from '../quoted-space.ts';

/**
 * Gives rows the vector that the space holds for their hash; resolves with their number.
 * The vector is looked up here and now. Any row with the hash will do, also a row that this object
 * brought. Copying from a named row would store a wrong vector as fresh where that row changed
 * meanwhile (shown). A hash that nobody holds any more writes nothing.
 * The guard, the order and the join are the same as in `upsertOutcomes`.
 */
export async function copyOutcomes(
  db: Kysely<FreshetTables>,
  space: Space,
  entries: readonly CopyEntry[],
): Promise<number> {
  if (entries.length === 0) return 0;
  const { source, vectors, key, keyType, versionType } = quoteSpace(space);
  const { rows } = await sql<{ copied: number }>`
    WITH written AS (
      INSERT INTO ${vectors} AS t (item_id, chunk, outcome, content_hash, source_version, source_xid, read_at,
                                   text_length, kept_length, tokens, embedding, embedded_at, missing_since)
      SELECT DISTINCT ON (${key}) ${key}, 0, 'embedded', d.content_hash, u.version, u.xid, u.read_at,
             u.text_length, u.kept_length, d.tokens, d.embedding, now(), NULL::timestamptz
        FROM unnest(${arrayLiteral(entries.map(entry => entry.id))}::${keyType}[],
                    ${arrayLiteral(entries.map(entry => entry.contentHash))}::text[],
                    ${arrayLiteral(entries.map(entry => entry.version))}::${versionType}[],
                    ${arrayLiteral(entries.map(entry => entry.xid))}::xid[],
                    ${arrayLiteral(entries.map(entry => entry.readAt))}::timestamptz[],
                    ${arrayLiteral(entries.map(entry => entry.textLength))}::int[],
                    ${arrayLiteral(entries.map(entry => entry.keptLength))}::int[])
          AS u (id, content_hash, version, xid, read_at, text_length, kept_length)
        JOIN ${source} AS s ON ${key} = u.id
       CROSS JOIN LATERAL (SELECT v.content_hash, v.tokens, v.embedding
                            ${oneHolder(space, sql`decode(u.content_hash, 'hex')`)}) AS d
       ORDER BY ${key}, u.read_at DESC
      ON CONFLICT (item_id, chunk) DO UPDATE SET
        outcome = excluded.outcome, content_hash = excluded.content_hash,
        source_version = excluded.source_version, source_xid = excluded.source_xid, read_at = excluded.read_at,
        text_length = excluded.text_length, kept_length = excluded.kept_length, tokens = excluded.tokens,
        embedding = excluded.embedding, embedded_at = excluded.embedded_at, missing_since = NULL
      WHERE t.read_at <= excluded.read_at
      RETURNING 1
    )
    SELECT count(*)::int AS copied FROM written`.execute(db);
  return rows[0]?.copied ?? 0;
}
