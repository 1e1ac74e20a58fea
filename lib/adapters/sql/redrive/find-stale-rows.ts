import { sql } from 'kysely';
import type { Space } from '../../../core/model/space.ts';
import type { StaleRow } from '../../../ports/redrive-store.ts';
import { arrayLiteral } from '../array-literal.ts';
import { liveLease } from '../live-lease.ts';
import { quoteSpace } from '../quoted-space.ts';
import type { SqlDatabase } from '../sql-database.ts';

/**
 * Finds those of the ids whose row is there and stale, by version or `xmin`.
 * @throws FreshetError of class `item` where an id is no key of the source.
 */
export async function findStaleRows(
  db: SqlDatabase,
  space: Space,
  ids: readonly string[],
): Promise<readonly StaleRow[]> {
  if (ids.length === 0) return [];
  const { source, vectors, key, version, leaseId, keyType } = quoteSpace(space);
  const { rows } = await sql<StaleRow>`
    SELECT ${leaseId} AS id, v.outcome, l.dispatch_id::text AS "heldBy"
      FROM (SELECT DISTINCT unnest(${arrayLiteral(ids)}::${keyType}[]) AS id) AS u
      JOIN ${source} AS s ON ${key} = u.id
      LEFT JOIN ${vectors} AS v ON v.item_id = ${key} AND v.chunk = 0
      LEFT JOIN freshet.leases AS l
        ON l.space_id = ${space.spaceId}::int AND l.item_id = ${leaseId} AND ${liveLease()}
     WHERE v.item_id IS NULL OR v.source_version IS DISTINCT FROM ${version}
        OR v.source_xid IS DISTINCT FROM s.xmin`.execute(db.kysely);
  return rows;
}
