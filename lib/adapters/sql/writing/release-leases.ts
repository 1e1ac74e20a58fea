import { type Kysely, sql } from 'kysely';
import type { Space } from '../../../core/model/space.ts';
import { arrayLiteral } from '../array-literal.ts';
import type { FreshetTables } from '../freshet-tables.ts';
import { quoteSpace } from '../quoted-space.ts';

/**
 * Ends the leases of a dispatch: deleted where the source row is gone or its outcome was made from just this version and `xmin`; else the
 * row was overtaken, and its lease, expired and without attempts, is what the next incremental pass finds it by. It compares what is
 * stored with what is there, whoever wrote it.
 */
export async function releaseLeases(
  db: Kysely<FreshetTables>,
  space: Space,
  dispatchId: string,
  ids: readonly string[],
): Promise<void> {
  if (ids.length === 0) return;
  const { source, vectors, key, version, keyType } = quoteSpace(space);
  await sql`WITH mine AS MATERIALIZED (
      SELECT l.item_id, ${key} IS NULL OR coalesce(v.source_xid = s.xmin
               AND v.source_version IS NOT DISTINCT FROM ${version}, false) AS settled
        FROM freshet.leases AS l
        LEFT JOIN ${source} AS s ON ${key} = l.item_id::${keyType}
        LEFT JOIN ${vectors} AS v ON v.item_id = ${key} AND v.chunk = 0
       WHERE l.space_id = ${space.spaceId}::int AND l.dispatch_id = ${dispatchId}::uuid
         AND l.item_id = ANY (${arrayLiteral(ids)}::text[])
       ORDER BY l.item_id
         FOR UPDATE OF l
    ), overtaken AS (
      UPDATE freshet.leases AS l SET stage = 'queued', attempts = 0, expires_at = now()
        FROM mine
       WHERE NOT mine.settled AND l.space_id = ${space.spaceId}::int AND l.item_id = mine.item_id
         AND l.dispatch_id = ${dispatchId}::uuid
    )
    DELETE FROM freshet.leases AS l USING mine
     WHERE mine.settled AND l.space_id = ${space.spaceId}::int AND l.item_id = mine.item_id
       AND l.dispatch_id = ${dispatchId}::uuid`.execute(db);
}
