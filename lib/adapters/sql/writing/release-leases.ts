import { type Kysely, sql } from 'kysely';
import type { Space } from '../../../core/model/space.ts';
import { leasesOf } from '../detection/lock-leases.ts';
import type { FreshetTables } from '../freshet-tables.ts';
import { prepared } from '../prepared.ts';
import { quoteSpace } from '../quoted-space.ts';

/**
 * Ends the leases of a dispatch: deletes those of finished rows and expires the others.
 * A lease is deleted where the source row is gone, or where its outcome was made from just this
 * version and `xmin`. Else the row was overtaken; the next incremental pass finds it by its lease,
 * which is expired and has no attempts. The statement compares what is stored with what is there,
 * whoever wrote it.
 *
 * OFFSET 0 makes the look-ups of outcomes one per lease, however old the statistics are. Both
 * passes are in the order of the ids, as everywhere. The second pass also sees the leases that the
 * first one deleted, and is left out where the first one deleted all, as is usual. A lease that
 * another dispatch took over meanwhile no longer matches. (A MERGE looks every lease up twice, or
 * reads all leases.)
 */
export async function releaseLeases(
  db: Kysely<FreshetTables>,
  space: Space,
  dispatchId: string,
  ids: readonly string[],
): Promise<void> {
  if (ids.length === 0) return;
  const { source, vectors, key, version, leasedKey } = quoteSpace(space);
  await sql`${prepared}WITH settled AS (
      DELETE FROM freshet.leases AS l
       WHERE ${leasesOf(space, dispatchId, ids)}
         AND coalesce((SELECT coalesce(v.source_xid = s.xmin AND v.source_version IS NOT DISTINCT FROM ${version}, false)
                         FROM ${source} AS s
                         LEFT JOIN LATERAL (SELECT v.source_version, v.source_xid
                                              FROM ${vectors} AS v WHERE v.item_id = ${key} AND v.chunk = 0 OFFSET 0) AS v ON true
                        WHERE ${key} = ${leasedKey}), true)
      RETURNING l.item_id
    )
    UPDATE freshet.leases AS l SET stage = 'queued', attempts = 0, expires_at = now()
     WHERE (SELECT count(*) FROM settled) < ${ids.length}::int
       AND ${leasesOf(space, dispatchId, ids)}
       AND l.item_id NOT IN (SELECT item_id FROM settled)`.execute(db);
}
