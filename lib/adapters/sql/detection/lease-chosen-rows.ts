import { type RawBuilder, sql } from 'kysely';
import type { LeaseRequest } from '../../../ports/detection-store.ts';

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
