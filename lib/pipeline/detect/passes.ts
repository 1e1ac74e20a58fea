import type { Space } from '../../core/model.ts';
import type { OrphanReport, SkippedRow } from '../../ports/detection-store.ts';
import { type DetectPorts, NOTHING_DETECTED, type PassResult, type ScanRest } from './detect-ports.ts';
import { dispatchRows } from './dispatch-rows.ts';
import { isBlind, noteUnsent } from './staleness.ts';
import { leaseInTurn } from './turns-behind-crowd.ts';

/** What a pass may lease at most, and with how many attempts. */
interface PassLimits {
  readonly capacity: number;
  readonly maxAttempts: number | undefined;
}

/** `expiredOnly`: no row is looked at but those whose lease expired. */
type ChangedLimits = PassLimits & { readonly expiredOnly?: boolean };

/**
 * Runs the incremental pass of one space, or goes on with it where `rest` says.
 * The horizon is read before the scan, so that a row that is committed between the two is above the
 * next watermark. The watermark never passes the first stale row that was not sent. A space without
 * a watermark starts at the horizon: older rows belong to the reconcile pass. A look that goes on
 * sees nothing in front of its beginning: the watermark obeys the horizon of the tick's first look,
 * and what any look of the tick left unsent. A space that is full is looked at all the same, so
 * that it is known whether edits wait. A look at what expired says nothing of the others: it
 * leaves the watermark as it is.
 */
export async function detectChangedRows(
  ports: DetectPorts,
  space: Space,
  { capacity, maxAttempts, expiredOnly = false }: ChangedLimits,
  rest?: ScanRest | undefined,
): Promise<PassResult & { readonly rest: ScanRest | undefined }> {
  if (capacity <= 0 && ports.reportsStaleness === false) return { ...NOTHING_DETECTED, rest: undefined };
  const { detection } = ports;
  if (expiredOnly) return { ...(await leaseExpired(ports, space, capacity)), rest: undefined };
  const position = await detection.readPosition(space);
  const horizon = rest === undefined ? await detection.readHorizon(space) : rest.horizon;
  const watermark = position.watermark ?? horizon;
  const isShared = space.source.tenantColumn !== undefined && capacity > 1;
  const kept = isShared ? Math.ceil(capacity / CAPACITY_PER_KEPT) : 0;
  const scan = { limit: Math.max(0, capacity - kept), maxAttempts, watermark, from: rest?.from };
  const page = await dispatchRows(ports, space, 'fresh', dispatch =>
    detection.leaseChangedRows(space, { ...dispatch, ...scan }),
  );
  const { firstUnsent, skipped = [] } = page;
  const turns = { limit: kept, maxAttempts, from: firstUnsent, beginsTick: rest === undefined };
  const others = await leaseInTurn(ports, space, page.rows, turns);
  const refused = [...page.refused, ...others.refused];
  const leased = page.rows.length + others.rows.length;
  const sent = page.sent + others.sent;
  const left = firstUnsent !== null || isBlind(space, watermark);
  await noteUnsent(ports, space, position.unsentSince, left);
  const refusedVersions = [...(rest?.refusedVersions ?? []), ...refused.map(row => row.version)];
  if (horizon !== null) {
    const unsent = [firstUnsent?.version ?? null, ...refusedVersions];
    await detection.writeWatermark(space, [horizon, ...unsent]);
  }
  return {
    ...{ ...NOTHING_DETECTED, leased, sent, unsent: left, skipped },
    rest: firstUnsent === null ? undefined : { from: firstUnsent, horizon, refusedVersions },
  };
}

/** One of so many rows that a look may lease is kept for tenants that a page has no room for. */
const CAPACITY_PER_KEPT = 8;
/** Leases rows whose lease expired, and no others: without a watermark no row is found changed. */
async function leaseExpired(ports: DetectPorts, space: Space, capacity: number): Promise<PassResult> {
  const scan = { limit: Math.max(0, capacity), watermark: null };
  const found = await dispatchRows(ports, space, 'fresh', dispatch =>
    ports.detection.leaseChangedRows(space, { ...dispatch, ...scan }),
  );
  const { rows, sent, skipped = [] } = found;
  return { ...NOTHING_DETECTED, leased: rows.length, sent, skipped };
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
  { capacity, resume, maxAttempts }: PassLimits & { readonly resume: boolean },
  remainingMs: () => number,
): Promise<PassResult & { readonly rest: 'stored' | undefined }> {
  const { detection } = ports;
  const { reconcileCursor, passOpen } = await detection.readPosition(space);
  if (!passOpen) {
    if (resume) return { ...NOTHING_DETECTED, rest: undefined };
    // Whatever comes of the first slice, the pass has begun and can be resumed.
    await detection.writeReconcileCursor(space, null, false);
  }
  const passBegan = reconcileCursor === null;
  let after = reconcileCursor;
  let leased = 0;
  let sent = 0;
  let slices = 0;
  let orphans: OrphanReport | undefined;
  const skipped: SkippedRow[] = [];
  const largestSliceRows = ports.limits.sliceRows;
  let sliceRows = Math.min(largestSliceRows, Math.max(SMALLEST_SLICE_ROWS, capacity));
  const report = (passEnded: boolean) => ({
    leased,
    sent,
    unsent: false,
    passBegan,
    passEnded,
    slices,
    skipped,
    ...(orphans && { orphans }),
    rest: passEnded ? undefined : ('stored' as const),
  });

  while (leased < capacity && remainingMs() > SLICE_RESERVE_MS) {
    const end = await detection.findSliceEnd(space, after, sliceRows);
    const limits = { limit: capacity - leased, maxAttempts };
    const slice = await dispatchRows(ports, space, 'bulk', dispatch =>
      detection.leaseStaleSlice(space, { ...dispatch, after, through: end, ...limits }),
    );
    const through = slice.through ?? end;
    const range = { after, through };
    skipped.push(...(slice.skipped ?? []));
    leased += slice.rows.length;
    sent += slice.sent;
    if (slice.truncated || slice.sent < slice.rows.length) return report(false);
    const removed = await detection.removeOrphans(space, range);
    orphans = addOrphans(orphans, removed);
    skipped.push(...(removed.skipped ?? []));
    await detection.writeReconcileCursor(space, through, through === null);
    slices += 1;
    if (through === null) return report(true);
    after = through;
    const growth = findGrowth(slice.rows.length, capacity - leased);
    sliceRows = Math.min(largestSliceRows, Math.max(SMALLEST_SLICE_ROWS, Math.ceil(sliceRows * growth)));
  }
  return report(false);
}

/** How much larger the slice is that follows one without a stale row: most slices have none. */
const GROWTH_OF_FRESH = 8;

/**
 * How much larger the next slice is than the last slice; at most twice where that held stale rows.
 * The next slice is expected to have the same share of stale rows as the last one.
 */
function findGrowth(leasedInSlice: number, capacityLeft: number): number {
  return leasedInSlice === 0 ? GROWTH_OF_FRESH : Math.min(2, capacityLeft / leasedInSlice);
}

/** Adds up what was removed of several ranges of keys. */
export function addOrphans(sum: OrphanReport | undefined, slice: OrphanReport): OrphanReport {
  if (sum === undefined) return slice;
  return {
    marked: sum.marked + slice.marked,
    deleted: sum.deleted + slice.deleted,
    stopped: sum.stopped ?? slice.stopped,
  };
}
