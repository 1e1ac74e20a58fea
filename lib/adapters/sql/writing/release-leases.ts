import { type Kysely, sql } from 'kysely';
import type { Space } from '../../../core/model/space.ts';
import { leasesOf } from '../detection/lock-leases.ts';
import type { FreshetTables } from '../freshet-tables.ts';
import { prepared } from '../prepared.ts';
import { quoteSpace } from '../quoted-space.ts';

/**
 * Ends the leases of a dispatch: deleted where the source row is gone or its outcome was made from just this version and `xmin`; else the
 * row was overtaken, and its lease, expired and without attempts, is what the next incremental pass finds it by. It compares what is
 * stored with what is there, whoever wrote it. OFFSET 0 makes the joins look-ups per lease, however old the statistics are. One pass in the order of
 * the ids, as everywhere; a lease that another dispatch took over meanwhile no longer matches.
 */
export async function releaseLeases(
  db: Kysely<FreshetTables>,
  space: Space,
  dispatchId: string,
  ids: readonly string[],
): Promise<void> {
  if (ids.length === 0) return;
  const { source, vectors, key, version, leasedKey } = quoteSpace(space);
  await sql`${prepared}WITH mine AS MATERIALIZED (
      SELECT l.item_id, s.key IS NULL OR coalesce(v.source_xid = s.xid
               AND v.source_version IS NOT DISTINCT FROM s.version, false) AS settled
        FROM freshet.leases AS l
        LEFT JOIN LATERAL (SELECT ${key} AS key, ${version} AS version, s.xmin AS xid
                             FROM ${source} AS s WHERE ${key} = ${leasedKey} OFFSET 0) AS s ON true
        LEFT JOIN LATERAL (SELECT v.source_version, v.source_xid
                             FROM ${vectors} AS v WHERE v.item_id = s.key AND v.chunk = 0 OFFSET 0) AS v ON true
       WHERE ${leasesOf(space, dispatchId, ids)}
       ORDER BY l.item_id
    )
    MERGE INTO freshet.leases AS l USING mine
       ON l.space_id = ${space.spaceId}::int AND l.item_id = mine.item_id AND l.dispatch_id = ${dispatchId}::uuid
     WHEN MATCHED AND mine.settled THEN DELETE
     WHEN MATCHED THEN UPDATE SET stage = 'queued', attempts = 0, expires_at = now()`.execute(db);
}
