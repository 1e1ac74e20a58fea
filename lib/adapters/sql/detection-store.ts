import { sql } from 'kysely';
import type { Cap } from '../../core/budget.ts';
import type { Lane, Space } from '../../core/model.ts';
import type { DetectionPosition, DetectionStore, WaitingRows } from '../../ports/detection-store.ts';
import { liftBudgetPauses, sumUpSpending } from './caps.ts';
import type { SqlDatabase } from './database.ts';
import { changeEach } from './divide-rows.ts';
import { arrayLiteral, prepared } from './fragments.ts';
import { settleLostCalls } from './grants.ts';
import { leaseBehindCrowd } from './lease-behind-crowd.ts';
import { countUnsentRows, leaseChangedRows } from './lease-changed-rows.ts';
import { abandonLeases, confirmSent } from './lease-stages.ts';
import { findSliceEnd, leaseStaleSlice } from './lease-stale-rows.ts';
import { expireLeasesOfDeadRuns } from './leases.ts';
import {
  fromOtherWriters,
  hasPreparedTransaction,
  hidesTransaction,
  LONGEST_HIDDEN_SECONDS,
} from './open-transactions.ts';
import { removeOrphans } from './orphans.ts';
import { sumUpQueries } from './query-ledger.ts';
import { quoteSpace, toVersionTime } from './quote-space.ts';
import { findSourceFault } from './source-faults.ts';

/**
 * Makes the store of `detect`, whose margin of the horizon is 300 seconds by default.
 * @throws RangeError for a margin that is not positive: a margin of 0 loses rows (shown).
 */
export function createDetectionStore(
  db: SqlDatabase,
  options: { readonly horizonMarginSeconds?: number; readonly caps?: readonly Cap[] } = {},
): DetectionStore {
  const marginSeconds = options.horizonMarginSeconds ?? HORIZON_MARGIN_SECONDS;
  if (!(marginSeconds > 0)) throw new RangeError('horizonMarginSeconds must be more than 0.');
  return {
    settleLostCalls: () => settleLostCalls(db),
    liftBudgetPauses: async () => {
      const { caps = [] } = options;
      await sumUpQueries(db);
      if (caps.length > 0) await sumUpSpending(db);
      return liftBudgetPauses(db, caps);
    },
    expireLeasesOfDeadRuns: () => expireLeasesOfDeadRuns(db),
    findSourceFault: space => findSourceFault(db, space),
    countInFlight: space => countInFlight(db, space),
    readPosition: space => readPosition(db, space),
    writeWatermark: (space, candidates) => writeWatermark(db, space, candidates),
    writeUnsent: (space, left) => writeUnsent(db, space, left),
    countUnsentRows: (space, atMost) => countUnsentRows(db, space, atMost),
    writeReconcileCursor: (space, cursor, passEnded) => writeReconcileCursor(db, space, cursor, passEnded),
    readHorizon: space => readHorizon(db, space, marginSeconds),
    leaseChangedRows: (space, request) => leaseChangedRows(db, space, request),
    leaseBehindCrowd: (space, request) => leaseBehindCrowd(db, space, request),
    findSliceEnd: (space, cursor, rows) => findSliceEnd(db, space, cursor, rows),
    leaseStaleSlice: (space, request) => leaseStaleSlice(db, space, request),
    removeOrphans: (space, slice) => removeOrphans(db, space, slice),
    confirmSent: (space, dispatchId, ids, leaseSeconds) =>
      changeEach(ids, part => confirmSent(db, space, dispatchId, part, leaseSeconds)),
    abandonLeases: (space, dispatch, ids) =>
      ids === undefined
        ? abandonLeases(db, space, dispatch)
        : changeEach(ids, part => abandonLeases(db, space, dispatch, part)),
    readStaleness: space => readStaleness(db, space),
  };
}

/**
 * Reads how far the passes have come in the space.
 * A space that no pass has looked at yet may have no row; its watermark and cursor then are null.
 */
async function readPosition(db: SqlDatabase, space: Space): Promise<DetectionPosition> {
  const { rows } = await sql<DetectionPosition>`
    SELECT watermark, reconcile_cursor AS "reconcileCursor",
           last_pass_ended_at::text AS "lastPassEndedAt", pass_open AS "passOpen",
           unsent_since::text AS "unsentSince"
      FROM freshet.positions WHERE space_id = ${space.spaceId}::int`.execute(db.kysely);
  const nothing = { watermark: null, reconcileCursor: null, lastPassEndedAt: null, unsentSince: null };
  return rows[0] ?? { ...nothing, passOpen: true };
}

/**
 * Sets the watermark to the earliest of the candidates; null is no candidate.
 * The watermark may move back, because a transaction that is seen late must be able to move it. The
 * candidates are compared in the version column's type. As text, `10:00:00.5+00` stands before
 * `10:00:00+00` in many collations.
 */
async function writeWatermark(
  db: SqlDatabase,
  space: Space,
  candidates: readonly (string | null)[],
): Promise<void> {
  const { versionType } = quoteSpace(space);
  await sql`INSERT INTO freshet.positions (space_id, watermark)
    SELECT ${space.spaceId}::int, min(u.candidate)::text
      FROM unnest(${arrayLiteral(candidates)}::${versionType}[]) AS u (candidate)
    HAVING min(u.candidate) IS NOT NULL
    ON CONFLICT (space_id) DO UPDATE SET watermark = excluded.watermark`.execute(db.kysely);
}

/**
 * Stores since when stale rows wait without a lease, or that none do.
 * The first look that leaves rows dates the waiting, and looks that leave rows again do not move
 * the date: the age that is made of it is never too small.
 */
async function writeUnsent(db: SqlDatabase, space: Space, left: boolean): Promise<void> {
  await sql`INSERT INTO freshet.positions AS p (space_id, unsent_since)
    VALUES (${space.spaceId}::int, CASE WHEN ${left}::bool THEN now() END)
    ON CONFLICT (space_id) DO UPDATE SET
      unsent_since = CASE WHEN ${left}::bool THEN coalesce(p.unsent_since, now()) END`.execute(db.kysely);
}

/**
 * Writes how far the reconcile pass has come and, where it ended, when it ended.
 * A pass counts as begun when the pass before it ended. That is never later than its first slice,
 * so an orphan which the pass itself marked is not taken for an orphan that was missing during the
 * whole pass. The first pass of a space has no beginning and removes nothing.
 */
async function writeReconcileCursor(
  db: SqlDatabase,
  space: Space,
  cursor: string | null,
  passEnded: boolean,
): Promise<void> {
  await sql`INSERT INTO freshet.positions AS p
      (space_id, reconcile_cursor, pass_open, pass_started_at, last_pass_ended_at)
    VALUES (${space.spaceId}::int, ${cursor}::text, NOT ${passEnded}::bool,
            CASE WHEN ${passEnded}::bool THEN now() END, CASE WHEN ${passEnded}::bool THEN now() END)
    ON CONFLICT (space_id) DO UPDATE SET
      reconcile_cursor = excluded.reconcile_cursor,
      pass_open = excluded.pass_open,
      last_pass_started_at = CASE WHEN ${passEnded}::bool
                                  THEN p.pass_started_at ELSE p.last_pass_started_at END,
      pass_started_at = coalesce(excluded.pass_started_at, p.pass_started_at),
      last_pass_ended_at = coalesce(excluded.last_pass_ended_at, p.last_pass_ended_at)`.execute(db.kysely);
}

/**
 * Seconds between the oldest open transaction and the horizon.
 * The margin covers a backend that has begun and not yet shown its transaction, and clocks of
 * writers that run a little behind.
 */
const HORIZON_MARGIN_SECONDS = 300;

/**
 * Reads the time before which no open transaction can still commit a row; null: unknown.
 * `now()` in a row is the start of the row's transaction, so the oldest open transaction bounds
 * what can still appear. A prepared transaction has no backend, so the horizon is null while one is
 * open. A backend that hides its transaction makes the margin as long as it may stay open.
 * The plan is kept for the session: reading and planning take three times as long as asking the
 * server's own views, and a look asks each time.
 */
async function readHorizon(db: SqlDatabase, space: Space, marginSeconds: number): Promise<string | null> {
  // Rows of another server become visible without a transaction of this one.
  const isForeign = space.source.relation === 'foreign table';
  const at = isForeign ? sql`NULL::text` : toVersionTime(sql`h.at`, space.source);
  const { rows } = await sql<{ horizon: string | null }>`${prepared}
    SELECT CASE WHEN ${hasPreparedTransaction} THEN NULL ELSE ${at} END AS horizon
      FROM (SELECT least(now(), min(a.xact_start))
                   - interval '1 second' * CASE
                       WHEN bool_or(${hidesTransaction})
                       THEN greatest(${marginSeconds}::float8, ${LONGEST_HIDDEN_SECONDS}::float8)
                       ELSE ${marginSeconds}::float8 END AS at
              ${fromOtherWriters}) AS h`.execute(db.kysely);
  return rows[0]?.horizon ?? null;
}

/**
 * Counts the unexpired leases of the space, but for those of rows that wait for a batch.
 * The count reads by the prefix of the primary key, and `maxInFlight` bounds what there is to
 * count.
 */
async function countInFlight(db: SqlDatabase, space: Space): Promise<number> {
  const { rows } = await sql<{ leases: number }>`
    SELECT count(*)::int AS leases FROM freshet.leases
     WHERE space_id = ${space.spaceId}::int AND expires_at > now() AND waits_for IS NULL`.execute(db.kysely);
  return rows[0]?.leases ?? 0;
}

/**
 * Counts the rows of each lane that wait for their outcome, with the age of the oldest.
 * Expired leases count too: a row keeps its lease, and with it `first_seen`, until its outcome is
 * written. Edits that no look has leased yet have waited since `unsent_since` at the longest.
 */
async function readStaleness(db: SqlDatabase, space: Space): Promise<Readonly<Record<Lane, WaitingRows>>> {
  const { rows } = await sql<WaitingRows & { lane: Lane }>`
    SELECT w.lane, count(l.item_id)::int AS rows,
           greatest(coalesce(extract(epoch FROM now() - least(min(l.first_seen),
             (SELECT p.unsent_since FROM freshet.positions AS p
               WHERE p.space_id = ${space.spaceId}::int AND w.lane = 'fresh'))), 0), 0)::float8
             AS "oldestAgeSeconds"
      FROM (VALUES ('fresh'), ('bulk')) AS w (lane)
      LEFT JOIN freshet.leases AS l ON l.space_id = ${space.spaceId}::int AND l.lane = w.lane
     GROUP BY w.lane`.execute(db.kysely);
  const ofLane = (lane: Lane): WaitingRows => {
    const found = rows.find(row => row.lane === lane);
    return { rows: found?.rows ?? 0, oldestAgeSeconds: found?.oldestAgeSeconds ?? 0 };
  };
  return { fresh: ofLane('fresh'), bulk: ofLane('bulk') };
}
