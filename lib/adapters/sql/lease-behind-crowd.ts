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
import { quoteSpace, toVersionTime } from './quote-space.ts';

type CrowdedRequest = Parameters<DetectionStore['leaseBehindCrowd']>[1];

/** A tenant crowds a page of which it has more than one of so many rows. */
const ROWS_PER_CROWDING = 10;

/**
 * Leases the stale rows of small tenants behind a page that others fill, at most `limit`.
 * What the statement fails for in the table keeps nobody from the scan, which comes to all rows:
 * a row, or the tenant's column, which was dropped or may not be read. The walk goes on behind the
 * rows among which it failed: one of them would hold it up at every look.
 */
export async function leaseBehindCrowd(
  db: SqlDatabase,
  space: Space,
  request: CrowdedRequest,
): Promise<WalkedRows> {
  const { tenantColumn } = space.source;
  if (tenantColumn === undefined) return NOTHING_WALKED;
  const walked = renderWalk(space, request);
  const find = () => findPlaces(db, walked);
  const lease = () => leaseOthers(db, space, request, walked, renderTenant(tenantColumn));
  return (await unlessTableFails(lease)) ?? (await unlessTableFails(find)) ?? NOTHING_WALKED;
}

/** Resolves with undefined where the statement fails for something in the table. */
async function unlessTableFails(work: () => Promise<WalkedRows>): Promise<WalkedRows | undefined> {
  try {
    return await work();
  } catch (error) {
    if (!mayBeOfOneRow(error) && !isOfColumn(error)) throw error;
    return undefined;
  }
}

const NOTHING_WALKED: WalkedRows = { rows: [], newest: null, end: null, isCut: true };

const isOfColumn = (error: unknown) =>
  error instanceof FreshetError && /^sqlstate_42(703|501)$/.test(error.code);

/** Rows without a tenant are those of one more. */
const renderTenant = (column: string) => sql`coalesce(${sql.id('s', column)}::text, '')`;

/** A line of the statement: it says how far the walk came, and a row that it leased. */
type WalkedLine = LeasedLine & PlacesLine & { readonly isCut: boolean };

interface PlacesLine {
  readonly newestVersion: string | null;
  readonly newestId: string | null;
  readonly endVersion: string | null;
  readonly endId: string | null;
}

/** The parts of a statement that walks. */
interface RenderedWalk {
  /** Which rows `s` are walked, and in which order. */
  readonly isWalked: RawBuilder<unknown>;
  readonly order: RawBuilder<unknown>;
  /** The CTEs `newest` and `last` (id, version), of one row or none, and the columns of both. */
  readonly places: RawBuilder<unknown>;
  readonly columns: RawBuilder<unknown>;
}

/**
 * Renders a walk over the index on (version, key).
 * Whoever changes few rows after a mass change of another tenant stands at its newest end. Where it
 * ends is read from the index alone (19 ms of 100,000 rows; numbering the rows that are walked
 * takes 44 ms more). What is newer than a row is walked from there, with no other bound: an index
 * is entered at a row, and left at a version only, and a mass change has one version. A row that is
 * dated ahead is never one to go on from: whatever is edited until then would stand before it.
 */
function renderWalk(space: Space, { from, newerThan, olderThan, walkedRows }: CrowdedRequest): RenderedWalk {
  const { source, version, versionType } = quoteSpace(space);
  const keys = keyColumnsOf(space.source);
  const place = sql`(${version}, ${listKey(keys.source)})`;
  const placeOf = (at: ScanPlace) => sql`(${at.version}::${versionType}, ${listKey(keys.ofId(at.id))})`;
  const descending = sql.join(keys.source.map(part => sql`${part} DESC`));
  const older = olderThan === undefined ? sql`` : sql` AND ${place} < ${placeOf(olderThan)}`;
  const isPast = sql`${version} <= ${toVersionTime(sql`now()`, space.source)}::${versionType}`;
  const newestFirst = sql`${version} DESC, ${descending}`;
  const [isWalked, isGoneOnFrom, order] =
    newerThan === undefined
      ? [sql`${place} >= ${placeOf(from)}${older}`, sql`true`, newestFirst]
      : [sql`${place} > ${placeOf(newerThan)}`, isPast, sql`${version}, ${listKey(keys.source)}`];
  const places = sql`newest AS MATERIALIZED (
      SELECT ${keys.leaseId} AS id, ${version} AS version FROM ${source} AS s
       WHERE ${olderThan === undefined}::bool AND ${version} >= ${from.version}::${versionType} AND ${isPast}
       ORDER BY ${newestFirst} LIMIT 1
    ), last AS MATERIALIZED (
      SELECT ${keys.leaseId} AS id, ${version} AS version FROM ${source} AS s
       WHERE ${isWalked} AND ${isGoneOnFrom} ORDER BY ${order} OFFSET ${walkedRows - 1}::int LIMIT 1
    )`;
  const columns = sql`newest.version::text AS "newestVersion", newest.id AS "newestId",
           last.version::text AS "endVersion", last.id AS "endId"`;
  return { isWalked, order, places, columns };
}

/** Finds how far a walk goes that leases nothing: it reads neither the tenants nor the texts. */
async function findPlaces(db: SqlDatabase, { places, columns }: RenderedWalk): Promise<WalkedRows> {
  const { rows } = await sql<PlacesLine>`
    WITH ${places}
    SELECT ${columns} FROM (VALUES (1)) AS one (line)
      LEFT JOIN newest ON true
      LEFT JOIN last ON true`.execute(db.kysely);
  return { ...NOTHING_WALKED, ...toPlaces(rows[0]), isCut: false };
}

/**
 * Walks, and joins only rows of other tenants.
 * The walk reads the tenant alone of the rows of the crowd.
 */
async function leaseOthers(
  db: SqlDatabase,
  space: Space,
  request: CrowdedRequest,
  { isWalked, order, places, columns }: RenderedWalk,
  tenant: RawBuilder<unknown>,
): Promise<WalkedRows> {
  const names = quoteSpace(space);
  const { source, vectors, version } = names;
  const keys = keyColumnsOf(space.source);
  const { page, walkedRows } = request;
  const statement = sql<WalkedLine>`
    WITH crowd AS MATERIALIZED (
      SELECT ${tenant} AS tenant
        FROM unnest(${arrayLiteral(page)}::text[]) AS l (item_id)
        JOIN ${source} AS s ON ${areEqual(keys.source, keys.leased)}
       GROUP BY 1 HAVING ${sql.lit(ROWS_PER_CROWDING)} * count(*) > ${page.length}::int
    ), ${places}, candidates AS MATERIALIZED (
      SELECT ${keys.leaseId} AS id, ${version} AS version,
             row_number() OVER (ORDER BY ${version}, ${listKey(keys.source)}) AS place
        FROM (SELECT s.* FROM (SELECT s.* FROM ${source} AS s WHERE ${isWalked}
                                ORDER BY ${order} LIMIT ${walkedRows}::int) AS s
               WHERE ${tenant} <> ALL (ARRAY(SELECT crowd.tenant FROM crowd))) AS s
        LEFT JOIN ${vectors} AS v ON ${areEqual(keys.stored('v'), keys.source)} AND v.chunk = 0
        LEFT JOIN freshet.leases AS l
          ON l.space_id = ${space.spaceId}::int AND l.item_id = ${keys.leaseId}
       WHERE ${isOutdated(names)} AND (l.item_id IS NULL OR ${isFreeForEdit(version)})
         AND ${renderAttempts('l')} <= ${request.maxAttempts ?? MOST_ATTEMPTS}::int
    ), chosen AS (
      SELECT id, version, place FROM candidates WHERE place <= ${request.limit}::int
    ), leased AS (${renderLeasing(space.spaceId, request)})
    SELECT ${columns},
           EXISTS (SELECT FROM candidates WHERE place > ${request.limit}::int) AS "isCut",
           r.id, r.attempts, r.version
      FROM (VALUES (1)) AS one (line)
      LEFT JOIN newest ON true
      LEFT JOIN last ON true
      LEFT JOIN (${leasedLines}) AS r ON true
     ORDER BY r.place`;
  const { rows } = await statement.execute(db.kysely);
  const [line] = rows;
  return { rows: toLeasedRows(rows), ...toPlaces(line), isCut: line?.isCut ?? true };
}

const toPlaces = (line: PlacesLine | undefined): Pick<WalkedRows, 'newest' | 'end'> => ({
  newest: toPlace(line?.newestVersion, line?.newestId),
  end: toPlace(line?.endVersion, line?.endId),
});

const toPlace = (version: string | null = null, id: string | null = null): ScanPlace | null =>
  version === null || id === null ? null : { version, id };
