import { sql } from 'kysely';
import type { Space } from '../../../core/model/space.ts';
import type { LeasedRow, LeaseRequest } from '../../../ports/detection-store.ts';
import { arrayLiteral } from '../array-literal.ts';
import { isFree, leaseChosenRows, leasedWithVersions } from '../detection/lease-chosen-rows.ts';
import { type LeasedLine, leasedRows } from '../detection/leased-rows.ts';
import { quoteSpace } from '../quoted-space.ts';
import type { SqlDatabase } from '../sql-database.ts';

/**
 * Leases those of the ids that are stale and free, at most `limit`.
 * One statement chooses and leases, as in `detect`. Between a look and the lease, a row may have
 * become fresh, or another dispatch may have leased it.
 */
export async function leaseNamedRows(
  db: SqlDatabase,
  space: Space,
  request: LeaseRequest & { readonly ids: readonly string[] },
): Promise<readonly LeasedRow[]> {
  if (request.ids.length === 0) return [];
  const { source, vectors, key, version, leaseId, keyType } = quoteSpace(space);
  const { rows } = await sql<LeasedLine>`
    WITH chosen AS MATERIALIZED (
      SELECT ${leaseId} AS id, ${version} AS version, row_number() OVER (ORDER BY ${key}) AS place
        FROM (SELECT DISTINCT unnest(${arrayLiteral(request.ids)}::${keyType}[]) AS id) AS u
        JOIN ${source} AS s ON ${key} = u.id
        LEFT JOIN ${vectors} AS v ON v.item_id = ${key} AND v.chunk = 0
        LEFT JOIN freshet.leases AS l ON l.space_id = ${space.spaceId}::int AND l.item_id = ${leaseId}
       WHERE (v.item_id IS NULL OR v.source_version IS DISTINCT FROM ${version}
              OR v.source_xid IS DISTINCT FROM s.xmin)
         AND (l.item_id IS NULL OR ${isFree('l', request)})
       ORDER BY ${key} LIMIT ${request.limit}::int
    ), leased AS (${leaseChosenRows(space.spaceId, request)})
    SELECT r.id, r.attempts, r.version FROM (${leasedWithVersions}) AS r ORDER BY r.place`.execute(db.kysely);
  return leasedRows(rows);
}
