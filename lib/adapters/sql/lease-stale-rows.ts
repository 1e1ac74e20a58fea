import { type RawBuilder, sql } from 'kysely';
import type { Space } from '../../core/model.ts';
import type { ChangedRows, KeyRange, LeaseRequest, StaleSlice } from '../../ports/detection-store.ts';
import type { SqlDatabase } from './database.ts';
import { quoteSpace } from './fragments.ts';
import {
  isFree,
  type LeasedLine,
  leasedLines,
  renderAttempts,
  renderLeasing,
  toLeasedRows,
} from './leases.ts';

/**
 * Finds and leases the changed rows and the rows whose lease expired, at most `limit`.
 * One statement does both, so that the rows are chosen under one snapshot. The snapshot is later
 * than the horizon that the caller read.
 *
 * - `changed` walks the index on (version, key) from the watermark. The join to outcomes and leases
 *   is a look-up per row (0.4 ms for 100 stale rows of 10 million). One row more than the limit is
 *   read and says where the next watermark must stop. A watermark of null finds no row.
 * - `expired` holds the rows that were leased and never finished. It compares `xmin` too, because
 *   the reconcile pass leases by `xmin`. Rows that turned out fresh or gone lose their lease here.
 *
 * Rows that came from a backfill stand behind the edits. Rows with attempts stand behind all
 * others.
 */
export async function leaseChangedRows(
  db: SqlDatabase,
  space: Space,
  request: LeaseRequest & { readonly watermark: string | null },
): Promise<ChangedRows> {
  const { source, vectors, key, version, leaseId, leasedKey, versionType, isStale } = quoteSpace(space);
  const statement = sql<LeasedLine & { firstUnsentVersion: string | null }>`
    WITH changed AS MATERIALIZED (
      SELECT ${key} AS key, ${leaseId} AS id, ${version} AS version, false AS afterwards,
             ${renderAttempts('l')} AS attempts
        FROM ${source} AS s
        LEFT JOIN ${vectors} AS v ON v.item_id = ${key} AND v.chunk = 0
        LEFT JOIN freshet.leases AS l ON l.space_id = ${space.spaceId}::int AND l.item_id = ${leaseId}
       WHERE ${version} >= ${request.watermark}::${versionType}
         AND (v.item_id IS NULL OR v.source_version IS DISTINCT FROM ${version})
         AND (l.item_id IS NULL OR ${isFree('l', request)})
       ORDER BY ${version}, ${key}
       LIMIT ${request.limit + 1}::int
    ), expired AS MATERIALIZED (
      SELECT ${key} AS key, l.item_id AS id, ${version} AS version, l.lane = 'bulk' AS afterwards,
             ${renderAttempts('l')} AS attempts,
             ${key} IS NOT NULL AND ${isStale} AS stale
        FROM freshet.leases AS l
        LEFT JOIN ${source} AS s ON ${key} = ${leasedKey}
        LEFT JOIN ${vectors} AS v ON v.item_id = ${key} AND v.chunk = 0
       WHERE l.space_id = ${space.spaceId}::int AND l.expires_at <= now()
    ), settled AS (
      DELETE FROM freshet.leases AS l USING expired AS e
       WHERE NOT e.stale AND l.space_id = ${space.spaceId}::int AND l.item_id = e.id AND l.expires_at <= now()
    ), candidates AS MATERIALIZED (
      SELECT c.*, row_number() OVER (ORDER BY c.attempts, c.afterwards, c.version, c.key) AS place
        FROM (SELECT DISTINCT ON (u.id) u.*
                FROM (SELECT key, id, version, attempts, afterwards, true AS in_scan FROM changed
                      UNION ALL
                      SELECT key, id, version, attempts, afterwards, false FROM expired WHERE stale) AS u
               ORDER BY u.id, u.in_scan DESC) AS c
    ), chosen AS (
      SELECT id, version, place FROM candidates WHERE place <= ${request.limit}::int
    ), leased AS (${renderLeasing(space.spaceId, request)})
    SELECT (SELECT min(d.version) FROM candidates AS d
             WHERE d.in_scan AND d.place > ${request.limit}::int)::text AS "firstUnsentVersion",
           r.id, r.attempts, r.version
      FROM (VALUES (1)) AS one (line)
      LEFT JOIN (${leasedLines}) AS r ON true
     ORDER BY r.place`;
  const { rows } = await statement.execute(db.kysely);
  return { rows: toLeasedRows(rows), firstUnsentVersion: rows[0]?.firstUnsentVersion ?? null };
}

/**
 * Finds and leases the stale rows of a range of keys, at most `limit`.
 * The range stands on both sides of the join. The join then is a merge join of two index ranges:
 * 0.12 s for 200,000 keys of 10 million. With the range on the source alone, PostgreSQL reads the
 * whole vector table (1.3 s). A LIMIT on the join instead of a range is worse still (3 s). The
 * stale rows are materialised before they are compared with the leases and sorted, so that neither
 * step changes the plan of the join.
 */
export async function leaseStaleSlice(
  db: SqlDatabase,
  space: Space,
  request: LeaseRequest & KeyRange,
): Promise<StaleSlice> {
  const { source, vectors, key, version, leaseId, keyType, isStale } = quoteSpace(space);
  const statement = sql<LeasedLine & { truncated: boolean }>`
    WITH stale AS MATERIALIZED (
      SELECT ${key} AS key, ${leaseId} AS id, ${version} AS version, v.item_id IS NULL AS unembedded
        FROM ${source} AS s
        LEFT JOIN ${vectors} AS v
          ON v.item_id = ${key} AND v.chunk = 0${renderRange(sql.id('v', 'item_id'), keyType, request)}
       WHERE ${isStale}${renderRange(key, keyType, request)}
    ), candidates AS MATERIALIZED (
      SELECT c.id, c.version,
             row_number() OVER (ORDER BY ${renderAttempts('l')}, c.unembedded DESC,
                                         c.version DESC NULLS LAST, c.key) AS place
        FROM stale AS c
        LEFT JOIN freshet.leases AS l ON l.space_id = ${space.spaceId}::int AND l.item_id = c.id
       WHERE l.item_id IS NULL OR ${isFree('l', request)}
       ORDER BY ${renderAttempts('l')}, c.unembedded DESC, c.version DESC NULLS LAST, c.key
       LIMIT ${request.limit + 1}::int
    ), chosen AS (
      SELECT id, version, place FROM candidates WHERE place <= ${request.limit}::int
    ), leased AS (${renderLeasing(space.spaceId, request)})
    SELECT EXISTS (SELECT FROM candidates WHERE place > ${request.limit}::int) AS truncated,
           r.id, r.attempts, r.version
      FROM (VALUES (1)) AS one (line)
      LEFT JOIN (${leasedLines}) AS r ON true
     ORDER BY r.place`;
  const { rows } = await statement.execute(db.kysely);
  return { rows: toLeasedRows(rows), truncated: rows[0]?.truncated ?? false };
}

/**
 * Finds the key that ends a slice of `rows` keys after `cursor`; null for the last slice.
 * OFFSET walks the key's index alone (an index-only scan). The skipped keys never leave the server.
 */
export async function findSliceEnd(
  db: SqlDatabase,
  space: Space,
  cursor: string | null,
  rows: number,
): Promise<string | null> {
  const { source, key, keyType } = quoteSpace(space);
  const range = { after: cursor, through: null };
  const statement = sql<{ id: string }>`
    SELECT ${key}::text AS id FROM ${source} AS s
     WHERE true${renderRange(key, keyType, range)}
     ORDER BY ${key} OFFSET ${rows - 1}::int LIMIT 1`;
  const result = await statement.execute(db.kysely);
  return result.rows[0]?.id ?? null;
}

/** Renders ` AND column > … AND column <= …`, or as much of it as the range has. */
export function renderRange(
  column: RawBuilder<unknown>,
  keyType: RawBuilder<unknown>,
  range: KeyRange,
): RawBuilder<unknown> {
  const lower = range.after === null ? sql`` : sql` AND ${column} > ${range.after}::${keyType}`;
  const upper = range.through === null ? sql`` : sql` AND ${column} <= ${range.through}::${keyType}`;
  return sql`${lower}${upper}`;
}
