import { type Kysely, type RawBuilder, sql } from 'kysely';
import type { Space } from '../../core/model.ts';
import type { LeasedRow, LeaseRequest } from '../../ports/detection-store.ts';
import { prepared, RUN_LOCK_CLASS } from './database.ts';
import { arrayLiteral, quoteSpace } from './fragments.ts';
import type { FreshetTables } from './freshet-tables.ts';

/**
 * Renders whether lease `l` holds.
 * A lease holds while it is unexpired and belongs either to no local run, or to a run whose session
 * still has its advisory lock.
 */
export function liveLease(): RawBuilder<boolean> {
  return sql<boolean>`(l.expires_at > now() AND (l.run_id IS NULL OR l.run_id IN (${liveRuns()})))`;
}

/** Renders the ids of the runs whose lock is held in this database. */
export function liveRuns(): RawBuilder<number> {
  return sql<number>`SELECT objid::int8::int4 FROM pg_locks
    WHERE locktype = 'advisory' AND granted AND objsubid = 2
      AND classid::int8 = ${sql.lit(RUN_LOCK_CLASS)}
      AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`;
}

/**
 * Renders the INSERT that leases the rows of the CTE `chosen (id)`, for use as a CTE.
 * Whoever reaches a row second waits on the unique index, then sees an unexpired lease and gets
 * nothing back. Two callers therefore never both lease a row, whatever their snapshots showed.
 *
 * `attempts` rises only where embedding had begun. A lease that is taken over from the other lane
 * is not an attempt. The age of such a lease starts anew, because the time that a backfill waited
 * is not the age of an edit. Rows are locked in the order of their ids, as everywhere.
 */
export function leaseChosenRows(spaceId: number, request: LeaseRequest): RawBuilder<unknown> {
  return sql`INSERT INTO freshet.leases AS t
      (space_id, item_id, dispatch_id, lane, stage, attempts, run_id, expires_at)
    SELECT ${spaceId}::int, chosen.id, ${request.dispatchId}::uuid, ${request.lane}::text, ${request.stage}::text, 0,
           ${request.runId}::int, now() + ${request.leaseSeconds}::float8 * interval '1 second'
      FROM chosen
     ORDER BY chosen.id COLLATE "C"
    ON CONFLICT (space_id, item_id) DO UPDATE SET
      dispatch_id = excluded.dispatch_id,
      lane = excluded.lane,
      stage = excluded.stage,
      attempts = t.attempts
        + CASE WHEN t.expires_at <= now() AND t.stage IN ('embedding', 'announced') THEN 1 ELSE 0 END,
      run_id = excluded.run_id,
      first_seen = CASE WHEN t.expires_at <= now() THEN t.first_seen ELSE now() END,
      expires_at = excluded.expires_at
    WHERE ${isFree('t', request)}
    RETURNING item_id, attempts`;
}

/**
 * Selects what the CTE `leased` took, with version and place from the CTE `chosen`.
 * The two CTEs are brought together by grouping. The planner does not know how large a CTE is.
 * Where the planner takes a CTE for one row, it joins two of them by comparing each row with each
 * (decision 11).
 */
export const leasedWithVersions: RawBuilder<unknown> = sql`
  SELECT u.id, max(u.attempts) AS attempts, max(u.version) AS version, max(u.place) AS place
    FROM (SELECT item_id AS id, attempts, NULL::text AS version, NULL::bigint AS place FROM leased
          UNION ALL
          SELECT id, NULL, version::text, place FROM chosen) AS u
   GROUP BY u.id HAVING count(u.attempts) > 0`;

/**
 * Renders the attempts that a row has when it is leased now.
 * `alias` is a lease of a LEFT JOIN; a row without a lease has no attempts.
 * Rows are leased by their attempts, lowest first. A row that may have killed its process, or was
 * merely there when the process died, comes after all others. Processes that die early then do not
 * die with the same rows again and again.
 */
export function attemptsWhenLeased(alias: string): RawBuilder<number> {
  return sql`coalesce(${sql.id(alias, 'attempts')}
    + CASE WHEN ${sql.id(alias, 'stage')} IN ('embedding', 'announced') THEN 1 ELSE 0 END, 0)`;
}

/**
 * Renders whether a lease leaves its row to the caller.
 * Such a lease has expired, or it waits in the bulk queue and the caller leases edits.
 */
export function isFree(alias: string, request: LeaseRequest): RawBuilder<boolean> {
  const lease = (column: string) => sql.id(alias, column);
  const expired = sql<boolean>`${lease('expires_at')} <= now()`;
  if (request.lane === 'bulk') return sql`(${expired})`;
  return sql`(${expired} OR (${lease('lane')} = 'bulk' AND ${lease('stage')} = 'queued'))`;
}

/**
 * A line of a leasing statement.
 * A statement that also reports what the limit left out always has a line, which holds nulls where
 * nothing was leased.
 */
export interface LeasedLine {
  readonly id: string | null;
  readonly attempts: number | null;
  readonly version: string | null;
}

export function leasedRows(lines: readonly LeasedLine[]): LeasedRow[] {
  return lines.flatMap(({ id, attempts, version }) =>
    id === null ? [] : [{ id, attempts: attempts ?? 0, version }],
  );
}

/**
 * Renders whether a lease `l` is of the dispatch and among the ids (undefined: any).
 * PostgreSQL serves the condition from the key's index in the order of the ids, which is the order
 * in which leases are locked everywhere. If a plan ever locks in another order, a deadlock is
 * `transient` and the statement is tried again.
 */
export function leasesOf(
  space: Space,
  dispatchId: string,
  ids: readonly string[] | undefined,
): RawBuilder<boolean> {
  const among =
    ids === undefined
      ? sql``
      : sql`
       AND l.item_id = ANY (${arrayLiteral(ids)}::text[])`;
  return sql`l.space_id = ${space.spaceId}::int AND l.dispatch_id = ${dispatchId}::uuid${among}`;
}

/**
 * Renders a SELECT that locks leases of a dispatch among the ids, for use as a CTE.
 * The order of the locks is that of the ids, whatever the plan. The SELECT costs as much again as
 * the change itself, so it is for changes that happen seldom.
 */
export function lockLeases(
  space: Space,
  dispatchId: string,
  ids: readonly string[] | undefined,
): RawBuilder<unknown> {
  return sql`SELECT l.space_id, l.item_id FROM freshet.leases AS l
     WHERE ${leasesOf(space, dispatchId, ids)}
     ORDER BY l.item_id
       FOR UPDATE`;
}

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
