import { sql } from 'kysely';
import type { Space } from '../../core/model.ts';
import type { LeasedRow, LeaseRequest } from '../../ports/detection-store.ts';
import type { RedriveStore, StaleRow } from '../../ports/report-store.ts';
import type { SqlDatabase } from './database.ts';
import { areEqual, keyColumnsOf, listKey } from './key-columns.ts';
import { isFree, isLive, type LeasedLine, leasedLines, renderLeasing, toLeasedRows } from './leases.ts';
import { quoteSpace } from './quote-space.ts';

export function createRedriveStore(db: SqlDatabase): RedriveStore {
  return {
    findStaleRows: (space, ids) => findStaleRows(db, space, ids),
    leaseNamedRows: (space, request) => leaseNamedRows(db, space, request),
  };
}

/**
 * Finds those of the ids whose row is there and stale, by version or `xmin`.
 * @throws FreshetError of class `item` where an id is no key of the source.
 */
async function findStaleRows(
  db: SqlDatabase,
  space: Space,
  ids: readonly string[],
): Promise<readonly StaleRow[]> {
  if (ids.length === 0) return [];
  const { source, vectors, isStale } = quoteSpace(space);
  const keys = keyColumnsOf(space.source);
  const { rows } = await sql<StaleRow>`
    SELECT ${keys.leaseId} AS id, v.outcome, l.dispatch_id::text AS "heldBy"
      FROM (SELECT DISTINCT * FROM unnest(${keys.unnested(ids)})) AS u (${keys.givenNames})
      JOIN ${source} AS s ON ${areEqual(keys.source, keys.given('u'))}
      LEFT JOIN ${vectors} AS v ON ${areEqual(keys.stored('v'), keys.source)} AND v.chunk = 0
      LEFT JOIN freshet.leases AS l
        ON l.space_id = ${space.spaceId}::int AND l.item_id = ${keys.leaseId} AND ${isLive()}
     WHERE ${isStale}`.execute(db.kysely);
  return rows;
}

/**
 * Leases those of the ids that are stale and free, at most `limit`.
 * One statement chooses and leases, as in `detect`. Between a look and the lease, a row may have
 * become fresh, or another dispatch may have leased it.
 */
async function leaseNamedRows(
  db: SqlDatabase,
  space: Space,
  request: LeaseRequest & { readonly ids: readonly string[] },
): Promise<readonly LeasedRow[]> {
  if (request.ids.length === 0) return [];
  const { source, vectors, version, isStale } = quoteSpace(space);
  const keys = keyColumnsOf(space.source);
  const { rows } = await sql<LeasedLine>`
    WITH chosen AS MATERIALIZED (
      SELECT ${keys.leaseId} AS id, ${version} AS version, 
             row_number() OVER (ORDER BY ${listKey(keys.source)}) AS place
        FROM (SELECT DISTINCT * FROM unnest(${keys.unnested(request.ids)})) AS u (${keys.givenNames})
        JOIN ${source} AS s ON ${areEqual(keys.source, keys.given('u'))}
        LEFT JOIN ${vectors} AS v ON ${areEqual(keys.stored('v'), keys.source)} AND v.chunk = 0
        LEFT JOIN freshet.leases AS l ON l.space_id = ${space.spaceId}::int AND l.item_id = ${keys.leaseId}
       WHERE ${isStale}
         AND (l.item_id IS NULL OR ${isFree('l', request)})
       ORDER BY ${listKey(keys.source)} LIMIT ${request.limit}::int
    ), leased AS (${renderLeasing(space.spaceId, request)})
    SELECT r.id, r.attempts, r.version FROM (${leasedLines}) AS r ORDER BY r.place`.execute(db.kysely);
  return toLeasedRows(rows);
}
