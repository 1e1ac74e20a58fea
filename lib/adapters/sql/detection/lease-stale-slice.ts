import { sql } from 'kysely';
import type { Space } from '../../../core/model/space.ts';
import type { LeaseRequest, StaleSlice } from '../../../ports/detection-store.ts';
import { quoteSpace } from '../quoted-space.ts';
import type { SqlDatabase } from '../sql-database.ts';
import { type KeyRange, withinRange } from './key-range.ts';
import { attemptsWhenLeased, isFree, leaseChosenRows, leasedWithVersions } from './lease-chosen-rows.ts';
import { type LeasedLine, leasedRows } from './leased-rows.ts';

/**
 * Finds and leases the stale rows of a range of keys, at most `limit`.
 * The range stands on both sides of the join. The join then is a merge join of two index ranges:
 * 0.12 s for 200,000 keys of 10 million. With the range on the source alone, PostgreSQL reads the
 * whole vector table (1.3 s). A LIMIT on the join instead of a range is worse still (3 s). The
 * stale rows are materialised before they are compared with the leases and sorted, so that neither
 * step changes the plan of the join.
 *
 * `xmin` catches what the version cannot: a second edit within one tick of the clock, an edit that
 * did not change the version, and a version that is NULL.
 */
export async function leaseStaleSlice(
  db: SqlDatabase,
  space: Space,
  request: LeaseRequest & KeyRange,
): Promise<StaleSlice> {
  const { source, vectors, key, version, leaseId, keyType } = quoteSpace(space);
  const statement = sql<LeasedLine & { truncated: boolean }>`
    WITH stale AS MATERIALIZED (
      SELECT ${key} AS key, ${leaseId} AS id, ${version} AS version, v.item_id IS NULL AS missing
        FROM ${source} AS s
        LEFT JOIN ${vectors} AS v
          ON v.item_id = ${key} AND v.chunk = 0${withinRange(sql.id('v', 'item_id'), keyType, request)}
       WHERE (v.item_id IS NULL OR v.source_version IS DISTINCT FROM ${version}
              OR v.source_xid IS DISTINCT FROM s.xmin)${withinRange(key, keyType, request)}
    ), candidates AS MATERIALIZED (
      SELECT c.id, c.version,
             row_number() OVER (ORDER BY ${attemptsWhenLeased('l')}, c.missing DESC, c.version DESC NULLS LAST, c.key) AS place
        FROM stale AS c
        LEFT JOIN freshet.leases AS l ON l.space_id = ${space.spaceId}::int AND l.item_id = c.id
       WHERE l.item_id IS NULL OR ${isFree('l', request)}
       ORDER BY ${attemptsWhenLeased('l')}, c.missing DESC, c.version DESC NULLS LAST, c.key
       LIMIT ${request.limit + 1}::int
    ), chosen AS (
      SELECT id, version, place FROM candidates WHERE place <= ${request.limit}::int
    ), leased AS (${leaseChosenRows(space.spaceId, request)})
    SELECT EXISTS (SELECT FROM candidates WHERE place > ${request.limit}::int) AS truncated,
           r.id, r.attempts, r.version
      FROM (VALUES (1)) AS one (line)
      LEFT JOIN (${leasedWithVersions}) AS r ON true
     ORDER BY r.place`;
  const { rows } = await statement.execute(db.kysely);
  return { rows: leasedRows(rows), truncated: rows[0]?.truncated ?? false };
}
