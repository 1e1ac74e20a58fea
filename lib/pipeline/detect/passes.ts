import type { Space } from '../../core/model.ts';
import type { KeyRange, OrphanReport, StaleSlice } from '../../ports/detection-store.ts';
import { type DetectPorts, NOTHING_DETECTED, type PassResult } from './detect-ports.ts';
import { beginDispatch, leaseOrGiveBack, sendLeasedRows } from './lease-and-send.ts';

/**
 * Runs the incremental pass of one space.
 * The horizon is read before the scan, so that a row that is committed between the two is above the
 * next watermark. The watermark never passes the first stale row that was not sent. A space without
 * a watermark starts at the horizon: older rows belong to the reconcile pass. `capacity` is the
 * most rows that may be leased.
 */
export async function detectChangedRows(
  ports: DetectPorts,
  space: Space,
  capacity: number,
): Promise<PassResult> {
  if (capacity <= 0) return NOTHING_DETECTED;
  const { detection } = ports;
  const { watermark } = await detection.readPosition(space);
  const horizon = await detection.readHorizon(space);
  const dispatch = beginDispatch(ports, 'fresh');
  const request = { ...dispatch, limit: capacity, watermark: watermark ?? horizon };
  const changed = await leaseOrGiveBack(ports, space, dispatch, () =>
    detection.leaseChangedRows(space, request),
  );
  const { sent, refused } = await sendLeasedRows(ports, space, dispatch, changed.rows);
  if (horizon !== null) {
    const unsent = [changed.firstUnsentVersion, ...refused.map(row => row.version)];
    await detection.writeWatermark(space, [horizon, ...unsent]);
  }
  return { ...NOTHING_DETECTED, leased: changed.rows.length, sent };
}

/**
 * Milliseconds that must be left before another slice begins.
 * A slice of 50,000 keys takes well under a second. The reserve leaves room for a slow slice and
 * its sends.
 */
const SLICE_RESERVE_MS = 10_000;
const SMALLEST_SLICE_ROWS = 1000;

/**
 * Walks the key in slices from the stored cursor and leases stale rows.
 * The walk goes on until the pass ends, the capacity is used or the time runs short. A slice is
 * walked again while stale rows of the slice are left or were not sent. Therefore no slice is
 * expected to hold more stale rows than can be leased: a backfill reads each key once, and a pass
 * that finds nothing soon walks the largest slices.
 */
export async function reconcileSpace(
  ports: DetectPorts,
  space: Space,
  { capacity, resume }: { readonly capacity: number; readonly resume: boolean },
  remainingMs: () => number,
): Promise<PassResult> {
  const { detection } = ports;
  const { reconcileCursor, passOpen } = await detection.readPosition(space);
  if (!passOpen) {
    if (resume) return NOTHING_DETECTED;
    // Whatever comes of the first slice, the pass has begun and can be resumed.
    await detection.writeReconcileCursor(space, null, false);
  }
  const passBegan = reconcileCursor === null;
  let after = reconcileCursor;
  let leased = 0;
  let sent = 0;
  let slices = 0;
  let orphans: OrphanReport | undefined;
  const largestSliceRows = ports.limits.sliceRows;
  let sliceRows = Math.min(largestSliceRows, Math.max(SMALLEST_SLICE_ROWS, capacity));
  const report = (passEnded: boolean): PassResult => ({
    leased,
    sent,
    passBegan,
    passEnded,
    slices,
    ...(orphans && { orphans }),
  });

  while (leased < capacity && remainingMs() > SLICE_RESERVE_MS) {
    const through = await detection.findSliceEnd(space, after, sliceRows);
    const slice = await dispatchSlice(ports, space, { after, through }, capacity - leased);
    leased += slice.rows.length;
    sent += slice.sent;
    if (slice.truncated || slice.sent < slice.rows.length) return report(false);
    orphans = addOrphans(orphans, await detection.removeOrphans(space, { after, through }));
    await detection.writeReconcileCursor(space, through, through === null);
    slices += 1;
    if (through === null) return report(true);
    after = through;
    const growth = findGrowth(slice.rows.length, capacity - leased);
    sliceRows = Math.min(largestSliceRows, Math.max(SMALLEST_SLICE_ROWS, Math.ceil(sliceRows * growth)));
  }
  return report(false);
}

/**
 * How much larger the next slice is than the last slice; at most twice as large.
 * The next slice is expected to have the same share of stale rows as the last one.
 */
function findGrowth(leasedInSlice: number, capacityLeft: number): number {
  return leasedInSlice === 0 ? 2 : Math.min(2, capacityLeft / leasedInSlice);
}

async function dispatchSlice(
  ports: DetectPorts,
  space: Space,
  range: KeyRange,
  limit: number,
): Promise<StaleSlice & { readonly sent: number }> {
  const dispatch = beginDispatch(ports, 'bulk');
  const slice = await leaseOrGiveBack(ports, space, dispatch, () =>
    ports.detection.leaseStaleSlice(space, { ...dispatch, ...range, limit }),
  );
  const { sent } = await sendLeasedRows(ports, space, dispatch, slice.rows);
  return { ...slice, sent };
}

function addOrphans(sum: OrphanReport | undefined, slice: OrphanReport): OrphanReport {
  if (sum === undefined) return slice;
  return {
    marked: sum.marked + slice.marked,
    deleted: sum.deleted + slice.deleted,
    stopped: sum.stopped ?? slice.stopped,
  };
}
