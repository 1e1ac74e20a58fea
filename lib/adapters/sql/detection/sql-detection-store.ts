import type { DetectionStore } from '../../../ports/detection-store.ts';
import type { SqlDatabase } from '../sql-database.ts';
import { abandonLeases } from './abandon-leases.ts';
import { confirmSent } from './confirm-sent.ts';
import { countInFlight } from './count-in-flight.ts';
import { expireLeasesOfDeadRuns } from './expire-leases-of-dead-runs.ts';
import { findSliceEnd } from './find-slice-end.ts';
import { findSourceFault } from './find-source-fault.ts';
import { leaseChangedRows } from './lease-changed-rows.ts';
import { leaseStaleSlice } from './lease-stale-slice.ts';
import { HORIZON_MARGIN_SECONDS, readHorizon } from './read-horizon.ts';
import { readPosition } from './read-position.ts';
import { readStaleness } from './read-staleness.ts';
import { removeOrphans } from './remove-orphans.ts';
import { writeReconcileCursor } from './write-reconcile-cursor.ts';
import { writeWatermark } from './write-watermark.ts';

/**
 * Makes the store of `detect`, whose margin of the horizon is 300 seconds by default.
 * @throws RangeError for a margin that is not positive: a margin of 0 loses rows (shown).
 */
export function createDetectionStore(
  db: SqlDatabase,
  options: { readonly horizonMarginSeconds?: number } = {},
): DetectionStore {
  const marginSeconds = options.horizonMarginSeconds ?? HORIZON_MARGIN_SECONDS;
  if (!(marginSeconds > 0)) throw new RangeError('horizonMarginSeconds must be more than 0.');
  return {
    expireLeasesOfDeadRuns: () => expireLeasesOfDeadRuns(db),
    findSourceFault: space => findSourceFault(db, space),
    countInFlight: space => countInFlight(db, space),
    readPosition: space => readPosition(db, space),
    writeWatermark: (space, candidates) => writeWatermark(db, space, candidates),
    writeReconcileCursor: (space, cursor, passEnded) => writeReconcileCursor(db, space, cursor, passEnded),
    readHorizon: space => readHorizon(db, space, marginSeconds),
    leaseChangedRows: (space, request) => leaseChangedRows(db, space, request),
    findSliceEnd: (space, cursor, rows) => findSliceEnd(db, space, cursor, rows),
    leaseStaleSlice: (space, request) => leaseStaleSlice(db, space, request),
    removeOrphans: (space, slice) => removeOrphans(db, space, slice),
    confirmSent: (space, dispatchId, ids, leaseSeconds) =>
      confirmSent(db, space, dispatchId, ids, leaseSeconds),
    abandonLeases: (space, dispatch, ids) => abandonLeases(db, space, dispatch, ids),
    readStaleness: space => readStaleness(db, space),
  };
}
