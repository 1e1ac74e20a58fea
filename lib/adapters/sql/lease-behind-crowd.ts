import { type RawBuilder, sql } from 'kysely';
import { FreshetError } from '../../core/errors.ts';
import type { Space } from '../../core/model.ts';
import type { ChangedRows, DetectionStore } from '../../ports/detection-store.ts';
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
): Promise<Pick<ChangedRows, 'rows'>> {
  const { tenantColumn } = space.source;
  if (tenantColumn === undefined) return { rows: [] };
  try {
    return { rows: toLeasedRows(await leaseOthers(db, space, request, renderTenant(tenantColumn))) };
  } catch (error) {
    if (!mayBeOfOneRow(error) && !isOfColumn(error)) throw error;
    return { rows: [] };
  }
}

const isOfColumn = (error: unknown) =>
  error instanceof FreshetError && /^sqlstate_42(703|501)$/.test(error.code);

/** Rows without a tenant are those of one more. */
const renderTenant = (column: string) => sql`coalesce(${sql.id('s', column)}::text, '')`;

/**
 * Walks the index on (version, key) from its newest end, and joins only rows of other tenants.
 * Whoever changes few rows after a mass change of another tenant stands there. The walk reads the
 * tenant alone of 100,000 rows of the crowd.
 */
async function leaseOthers(
  db: SqlDatabase,
  space: Space,
  request: CrowdedRequest,
  tenant: RawBuilder<unknown>,
): Promise<readonly LeasedLine[]> {
  const names = quoteSpace(space);
  const { source, vectors, version, versionType } = names;
  const keys = keyColumnsOf(space.source);
  const { from, page, walkedRows } = request;
  const descending = sql.join(keys.source.map(part => sql`${part} DESC`));
  const statement = sql<LeasedLine>`
    WITH crowd AS MATERIALIZED (
      SELECT ${tenant} AS tenant
        FROM unnest(${arrayLiteral(page)}::text[]) AS l (item_id)
        JOIN ${source} AS s ON ${areEqual(keys.source, keys.leased)}
       GROUP BY 1 HAVING ${sql.lit(ROWS_PER_CROWDING)} * count(*) > ${page.length}::int
    ), candidates AS MATERIALIZED (
      SELECT ${keys.leaseId} AS id, ${version} AS version, ${renderAttempts('l')} AS attempts,
             row_number() OVER (ORDER BY ${version}, ${listKey(keys.source)}) AS place
        FROM (SELECT s.* FROM (
                SELECT s.* FROM ${source} AS s
                 WHERE (${version}, ${listKey(keys.source)})
                       >= (${from.version}::${versionType}, ${listKey(keys.ofId(from.id))})
                 ORDER BY ${version} DESC, ${descending}
                 LIMIT ${walkedRows}::int) AS s
               WHERE ${tenant} <> ALL (ARRAY(SELECT crowd.tenant FROM crowd))) AS s
        LEFT JOIN ${vectors} AS v ON ${areEqual(keys.stored('v'), keys.source)} AND v.chunk = 0
        LEFT JOIN freshet.leases AS l
          ON l.space_id = ${space.spaceId}::int AND l.item_id = ${keys.leaseId}
       WHERE ${isOutdated(names)} AND (l.item_id IS NULL OR ${isFreeForEdit(version)})
    ), chosen AS (
      SELECT id, version, place FROM candidates
       WHERE place <= ${request.limit}::int AND attempts <= ${request.maxAttempts ?? MOST_ATTEMPTS}::int
    ), leased AS (${renderLeasing(space.spaceId, request)})
    SELECT r.id, r.attempts, r.version FROM (${leasedLines}) AS r ORDER BY r.place`;
  const { rows } = await statement.execute(db.kysely);
  return rows;
}
