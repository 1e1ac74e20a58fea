import { type RawBuilder, sql } from 'kysely';
import { FreshetError } from '../../core/errors.ts';
import type { Space } from '../../core/model.ts';
import type { DetectionStore, ScanPlace, WalkedRows } from '../../ports/detection-store.ts';
import type { SqlDatabase } from './database.ts';
import { mayBeOfOneRow } from './divide-rows.ts';
import { arrayLiteral } from './fragments.ts';
import { areEqual, keyColumnsOf, listKey } from './key-columns.ts';
import { isOutdated } from './lease-changed-rows.ts';
import {
  isFreeForEdit,
  type LeasedLine,
  leasedLines,
  MOST_ATTEMPTS,
  renderAttempts,
  renderLeasing,
  toLeasedRows,
} from './leases.ts';
import { quoteSpace } from './quote-space.ts';

type CrowdedRequest = Parameters<DetectionStore['leaseBehindCrowd']>[1];

/** A tenant crowds a page of which it has more than one of so many rows. */
const ROWS_PER_CROWDING = 10;

/**
 * Leases the stale rows of small tenants behind a page that others fill, at most `limit`.
 * What the statement fails for in the table keeps nobody from the scan, which comes to all rows:
 * a row, or the tenant's column, which was dropped or may not be read.
 */
export async function leaseBehindCrowd(
  db: SqlDatabase,
  space: Space,
  request: CrowdedRequest,
): Promise<WalkedRows> {
  const { tenantColumn } = space.source;
  if (tenantColumn === undefined) return NOTHING_WALKED;
  try {
    return await leaseOthers(db, space, request, renderTenant(tenantColumn));
  } catch (error) {
    if (!mayBeOfOneRow(error) && !isOfColumn(error)) throw error;
    return NOTHING_WALKED;
  }
}

const NOTHING_WALKED: WalkedRows = { rows: [], newest: null, end: null, isCut: true };

const isOfColumn = (error: unknown) =>
  error instanceof FreshetError && /^sqlstate_42(703|501)$/.test(error.code);

/** Rows without a tenant are those of one more. */
const renderTenant = (column: string) => sql`coalesce(${sql.id('s', column)}::text, '')`;

/** A line of the statement: it says how far the walk came, and a row that it leased. */
interface WalkedLine extends LeasedLine {
  readonly newestVersion: string | null;
  readonly newestId: string | null;
  readonly endVersion: string | null;
  readonly endId: string | null;
  readonly isCut: boolean;
}

/**
 * Walks the index on (version, key) from newer to older rows, and joins only rows of other tenants.
 * Whoever changes few rows after a mass change of another tenant stands at its newest end. The walk
 * reads the tenant alone of the rows of the crowd. Its first and its last row are let through too,
 * whoever has them, and say how far it came: to look for its end once more takes as long again.
 */
async function leaseOthers(
  db: SqlDatabase,
  space: Space,
  request: CrowdedRequest,
  tenant: RawBuilder<unknown>,
): Promise<WalkedRows> {
  const names = quoteSpace(space);
  const { source, vectors, version, versionType } = names;
  const keys = keyColumnsOf(space.source);
  const { from, newerThan, olderThan, page, walkedRows } = request;
  const place = sql`(${version}, ${listKey(keys.source)})`;
  const placeOf = (at: ScanPlace) => sql`(${at.version}::${versionType}, ${listKey(keys.ofId(at.id))})`;
  const isOther = sql`${tenant} <> ALL (ARRAY(SELECT crowd.tenant FROM crowd))`;
  const descending = sql.join(keys.source.map(part => sql`${part} DESC`));
  const statement = sql<WalkedLine>`
    WITH crowd AS MATERIALIZED (
      SELECT ${tenant} AS tenant
        FROM unnest(${arrayLiteral(page)}::text[]) AS l (item_id)
        JOIN ${source} AS s ON ${areEqual(keys.source, keys.leased)}
       GROUP BY 1 HAVING ${sql.lit(ROWS_PER_CROWDING)} * count(*) > ${page.length}::int
    ), walked AS MATERIALIZED (
      SELECT w.id, w.version, w.step, w.attempts, w.is_free,
             row_number() OVER (PARTITION BY w.is_free
                                ORDER BY w.version, ${listKey(keys.carried('w'))}) AS place
        FROM (SELECT ${keys.carry(keys.source)}, ${keys.leaseId} AS id, ${version} AS version, s.step,
                     ${renderAttempts('l')} AS attempts,
                     (${isOther} AND ${isOutdated(names)}
                      AND (l.item_id IS NULL OR ${isFreeForEdit(version)})) IS TRUE AS is_free
                FROM (SELECT s.* FROM (
                        SELECT s.*, row_number() OVER (ORDER BY ${version} DESC, ${descending}) AS step
                          FROM ${source} AS s
                         WHERE ${place} >= ${placeOf(from)}
                               ${newerThan === undefined ? sql`` : sql`AND ${place} > ${placeOf(newerThan)}`}
                               ${olderThan === undefined ? sql`` : sql`AND ${place} < ${placeOf(olderThan)}`}
                         ORDER BY ${version} DESC, ${descending}
                         LIMIT ${walkedRows}::int) AS s
                       WHERE ${isOther} OR s.step IN (1, ${walkedRows}::int)) AS s
                LEFT JOIN ${vectors} AS v ON ${areEqual(keys.stored('v'), keys.source)} AND v.chunk = 0
                LEFT JOIN freshet.leases AS l
                  ON l.space_id = ${space.spaceId}::int AND l.item_id = ${keys.leaseId}) AS w
       WHERE w.is_free OR w.step IN (1, ${walkedRows}::int)
    ), chosen AS (
      SELECT id, version, place FROM walked
       WHERE is_free AND place <= ${request.limit}::int
         AND attempts <= ${request.maxAttempts ?? MOST_ATTEMPTS}::int
    ), leased AS (${renderLeasing(space.spaceId, request)})
    SELECT first.version::text AS "newestVersion", first.id AS "newestId",
           last.version::text AS "endVersion", last.id AS "endId",
           EXISTS (SELECT FROM walked WHERE is_free AND place > ${request.limit}::int) AS "isCut",
           r.id, r.attempts, r.version
      FROM (VALUES (1)) AS one (line)
      LEFT JOIN walked AS first ON first.step = 1
      LEFT JOIN walked AS last ON last.step = ${walkedRows}::int
      LEFT JOIN (${leasedLines}) AS r ON true
     ORDER BY r.place`;
  const { rows } = await statement.execute(db.kysely);
  const [line] = rows;
  return {
    rows: toLeasedRows(rows),
    newest: toPlace(line?.newestVersion, line?.newestId),
    end: toPlace(line?.endVersion, line?.endId),
    isCut: line?.isCut ?? true,
  };
}

const toPlace = (version: string | null = null, id: string | null = null): ScanPlace | null =>
  version === null || id === null ? null : { version, id };
