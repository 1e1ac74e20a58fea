import { type RawBuilder, sql } from 'kysely';
import type { LeasedRow, LeaseRequest } from '../../ports/detection-store.ts';
import { RUN_LOCK_CLASS, type SqlDatabase } from './database.ts';
import { divideRows, mayBeOfOneRow } from './divide-rows.ts';
import { arrayLiteral } from './fragments.ts';

/**
 * Renders the INSERT that leases the rows of the CTE `chosen (id)`, for use as a CTE.
 * Whoever reaches a row second waits on the unique index, then sees an unexpired lease and gets
 * nothing back. Two callers therefore never both lease a row, whatever their snapshots showed.
 *
 * `attempts` rises only where embedding had begun. A lease that is taken over from the other lane
 * is not an attempt. The age of such a lease starts anew, because the time that a backfill waited
 * is not the age of an edit. Where edits waited without a lease, theirs counts from the time since
 * which some did: nobody knows which of them came first. Rows are locked in the order of their ids,
 * as everywhere. A key that stands in two rows is leased once.
 */
export function renderLeasing(spaceId: number, request: LeaseRequest): RawBuilder<unknown> {
  const firstSeen =
    request.lane === 'bulk'
      ? sql`now()`
      : sql`least(now(), (SELECT p.unsent_since FROM freshet.positions AS p
                          WHERE p.space_id = ${spaceId}::int))`;
  return sql`INSERT INTO freshet.leases AS t
      (space_id, item_id, dispatch_id, lane, stage, attempts, run_id, first_seen, expires_at)
    SELECT DISTINCT ON (chosen.id COLLATE "C")
           ${spaceId}::int, chosen.id, ${request.dispatchId}::uuid, ${request.lane}::text,
           ${request.stage}::text, 0, ${request.runId}::int, ${firstSeen},
           now() + ${request.leaseSeconds}::float8 * interval '1 second'
      FROM chosen
     ORDER BY chosen.id COLLATE "C"
    ON CONFLICT (space_id, item_id) DO UPDATE SET
      dispatch_id = excluded.dispatch_id,
      lane = excluded.lane,
      stage = excluded.stage,
      attempts = t.attempts
        + CASE WHEN t.expires_at <= now() AND t.stage IN ('embedding', 'announced') THEN 1 ELSE 0 END,
      run_id = excluded.run_id,
      first_seen = CASE WHEN t.expires_at <= now() THEN t.first_seen ELSE excluded.first_seen END,
      expires_at = excluded.expires_at,
      waits_for = NULL,
      waits_version = NULL
    WHERE ${isFree('t', request)}
    RETURNING item_id, attempts`;
}

/**
 * Selects what the CTE `leased` took, with version and place from the CTE `chosen`.
 * The two CTEs are brought together by grouping. The planner does not know how large a CTE is.
 * Where the planner takes a CTE for one row, it joins two of them by comparing each row with each
 * (decision 11).
 */
export const leasedLines: RawBuilder<unknown> = sql`
  SELECT u.id, max(u.attempts) AS attempts, max(u.version) AS version, max(u.place) AS place
    FROM (SELECT item_id AS id, attempts, NULL::text AS version, NULL::bigint AS place FROM leased
          UNION ALL
          SELECT id, NULL, version::text, place FROM chosen) AS u
   GROUP BY u.id HAVING count(u.attempts) > 0`;

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

export function toLeasedRows(lines: readonly LeasedLine[]): LeasedRow[] {
  return lines.flatMap(({ id, attempts, version }) =>
    id === null ? [] : [{ id, attempts: attempts ?? 0, version }],
  );
}

/**
 * Renders whether a lease leaves its row to the caller.
 * Such a lease has expired, or it waits in the bulk queue and the caller leases edits.
 */
export function isFree(alias: string, request: Pick<LeaseRequest, 'lane'>): RawBuilder<boolean> {
  const lease = (column: string) => sql.id(alias, column);
  const expired = sql<boolean>`${lease('expires_at')} <= now()`;
  if (request.lane === 'bulk') return sql`(${expired})`;
  return sql`(${expired} OR (${lease('lane')} = 'bulk' AND ${lease('stage')} = 'queued'))`;
}

/** More attempts than any lease has. */
export const MOST_ATTEMPTS = 32_767;

/**
 * Renders whether lease `l` leaves its row to the incremental pass.
 * A row that waits for a batch is left alone while it has the version with which it waits: it has
 * not been edited since.
 */
export function isFreeForEdit(version: RawBuilder<unknown>): RawBuilder<boolean> {
  return sql`(${isFree('l', { lane: 'fresh' })} AND (l.waits_for IS NULL OR l.expires_at <= now()
              OR l.waits_version IS DISTINCT FROM ${version}::text))`;
}

/**
 * Renders the attempts that a row has when it is leased now.
 * `alias` is a lease of a LEFT JOIN; a row without a lease has no attempts.
 * Rows are leased by their attempts, lowest first. A row that may have killed its process, or was
 * merely there when the process died, comes after all others. Processes that die early then do not
 * die with the same rows again and again.
 */
export function renderAttempts(alias: string): RawBuilder<number> {
  return sql`coalesce(${sql.id(alias, 'attempts')}
    + CASE WHEN ${sql.id(alias, 'stage')} IN ('embedding', 'announced') THEN 1 ELSE 0 END, 0)`;
}

/**
 * Renders whether lease `l` holds.
 * A lease holds while it is unexpired and belongs either to no local run, or to a run whose session
 * still has its advisory lock. The array keeps a statement that reads whole tables parallel: the
 * locks are read once, before workers start, who may not read them.
 */
export function isLive(): RawBuilder<boolean> {
  return sql<boolean>`(l.expires_at > now()
    AND (l.run_id IS NULL OR l.run_id = ANY (ARRAY(${renderLiveRuns()}))))`;
}

/** Renders the ids of the runs whose lock is held in this database. */
export function renderLiveRuns(): RawBuilder<number> {
  return sql<number>`SELECT objid::int8::int4 FROM pg_locks
    WHERE locktype = 'advisory' AND granted AND objsubid = 2
      AND classid::int8 = ${sql.lit(RUN_LOCK_CLASS)}
      AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`;
}

/** Reads the ids of the local runs that work on this database now, from whatever machine. */
export async function readLiveRuns(db: SqlDatabase): Promise<number[]> {
  const { rows } = await sql<{ runId: number }>`
    SELECT live.id AS "runId" FROM (${renderLiveRuns()}) AS live (id) ORDER BY live.id`.execute(db.kysely);
  return rows.map(({ runId }) => runId);
}

/**
 * Expires the leases of local runs that are dead and resolves with their number.
 * A run that lives holds its advisory lock. PostgreSQL frees the lock with the connection, however
 * the process ended.
 * The stage of a lease stays. A row that was being embedded when the process died counts an
 * attempt; a row that merely waited does not. `SKIP LOCKED` leaves out a lease that another session
 * changes at this moment, because such a lease is not dead. A lease that cannot be changed keeps no
 * other from being expired: all spaces wait for this statement.
 */
export async function expireLeasesOfDeadRuns(db: SqlDatabase): Promise<number> {
  try {
    return await expireDead(db, sql`true`);
  } catch (error) {
    if (!mayBeOfOneRow(error)) throw error;
  }
  const { rows } = await sql<{ spaceId: number; id: string }>`
    SELECT space_id AS "spaceId", item_id AS id FROM freshet.leases WHERE ${isOfDeadRun()}
     ORDER BY space_id, item_id`.execute(db.kysely);
  let expired = 0;
  await divideRows(rows, async part => {
    const ids = arrayLiteral(part.map(({ id }) => id));
    const spaceIds = arrayLiteral(part.map(({ spaceId }) => spaceId));
    expired += await expireDead(
      db,
      sql`(space_id, item_id) IN (SELECT * FROM unnest(${spaceIds}::int[], ${ids}::text[]))`,
    );
  });
  return expired;
}

function isOfDeadRun(): RawBuilder<boolean> {
  return sql`run_id IS NOT NULL AND expires_at > now() AND run_id NOT IN (${renderLiveRuns()})`;
}

async function expireDead(db: SqlDatabase, among: RawBuilder<unknown>): Promise<number> {
  const { rows } = await sql<{ expired: number }>`
    WITH dead AS (
      SELECT space_id, item_id FROM freshet.leases
       WHERE ${isOfDeadRun()} AND ${among}
       ORDER BY space_id, item_id
         FOR UPDATE SKIP LOCKED
    ), expired AS (
      UPDATE freshet.leases AS l SET expires_at = now() FROM dead
       WHERE l.space_id = dead.space_id AND l.item_id = dead.item_id
      RETURNING 1
    )
    SELECT count(*)::int AS expired FROM expired`.execute(db.kysely);
  return rows[0]?.expired ?? 0;
}
