import { ORPHANS_CONFIRMED } from '../../lib/core/control.ts';
import type { Lane, Space } from '../../lib/core/model.ts';
import type { DetectionPosition, DetectionStore, OrphanReport } from '../../lib/ports/detection-store.ts';
import type { Synchronous } from './synchronous.ts';
import { type Micros, printNullable, printTimestamp, readTimestamp, seconds } from './timestamps.ts';
import { liftBudgetPauses } from './twin-caps.ts';
import {
  compareKeys,
  isWithin,
  sourceOf,
  spaceOf,
  type TwinDatabase,
  type TwinGrant,
  type TwinPosition,
  type TwinSpace,
  visibleRow,
  visibleRows,
} from './twin-database.ts';
import { ownLeases } from './twin-leases.ts';
import { countUnsentRows, leaseBehindCrowd, leaseChangedRows, leaseStaleSlice } from './twin-leasing.ts';

/**
 * Opens `DetectionStore` on the twin.
 *
 * Each method does what the statement of the same name in `lib/adapters/sql/detection` does.
 */
export function createTwinDetection(twin: TwinDatabase): Synchronous<DetectionStore> {
  return {
    settleLostCalls: () => settleLostCalls(twin),
    liftBudgetPauses: () => liftBudgetPauses(twin),
    expireLeasesOfDeadRuns: () => expireLeasesOfDeadRuns(twin),
    findSourceFault: space => sourceOf(twin, space).fault,
    countInFlight: space => {
      const now = twin.now();
      return [...spaceOf(twin, space).leases.values()].filter(
        ({ expiresAt, waitsFor }) => expiresAt > now && waitsFor === null,
      ).length;
    },
    readPosition: space => readPosition(twin, space),
    writeWatermark: (space, candidates) => writeWatermark(twin, space, candidates),
    writeUnsent: (space, left) => {
      const position = positionOf(spaceOf(twin, space));
      position.unsentSince = left ? (position.unsentSince ?? twin.now()) : null;
    },
    countUnsentRows: (space, atMost) => countUnsentRows(twin, space, atMost),
    writeReconcileCursor: (space, cursor, passEnded) => writeReconcileCursor(twin, space, cursor, passEnded),
    readHorizon: () => readHorizon(twin),
    leaseChangedRows: (space, request) => leaseChangedRows(twin, space, request),
    leaseBehindCrowd: (space, request) => leaseBehindCrowd(twin, space, request),
    findSliceEnd: (space, cursor, rows) => {
      const keys = visibleRows(sourceOf(twin, space)).map(({ id }) => id);
      const rest = keys.filter(id => isWithin(id, cursor, null)).sort(compareKeys);
      return rest[rows - 1] ?? null;
    },
    leaseStaleSlice: (space, request) => leaseStaleSlice(twin, space, request),
    removeOrphans: (space, slice) => removeOrphans(twin, space, slice),
    confirmSent: (space, dispatchId, ids, leaseSeconds) => {
      const now = twin.now();
      for (const lease of ownLeases(twin, space, dispatchId, ids)) {
        if (lease.stage !== 'sending' && lease.stage !== 'embedding') continue;
        if (lease.stage === 'sending') lease.stage = 'queued';
        lease.expiresAt = Math.max(lease.expiresAt, now + seconds(leaseSeconds));
      }
    },
    abandonLeases: (space, { dispatchId, stage }, ids) => {
      const now = twin.now();
      for (const lease of ownLeases(twin, space, dispatchId, ids)) {
        if (lease.stage === stage) Object.assign(lease, { stage: 'queued', expiresAt: now });
      }
    },
    readStaleness: space => {
      const now = twin.now();
      const waiting = (wanted: Lane) => {
        const leases = [...spaceOf(twin, space).leases.values()].filter(({ lane }) => lane === wanted);
        const unsentSince = wanted === 'fresh' ? spaceOf(twin, space).position?.unsentSince : undefined;
        const oldest = leases.reduce(
          (least, { firstSeen }) => Math.min(least, firstSeen),
          Math.min(now, unsentSince ?? now),
        );
        return { rows: leases.length, oldestAgeSeconds: (now - oldest) / 1e6 };
      };
      return { fresh: waiting('fresh'), bulk: waiting('bulk') };
    },
  };
}

const LONGEST_LAMBDA_SECONDS = 900;

/** `settleLostCalls` of `grants.ts` */
function settleLostCalls(twin: TwinDatabase): number {
  const now = twin.now();
  const isOnItsWay = ({ spaceId, holder }: TwinGrant) =>
    (holder?.ids ?? []).some(id => {
      const lease = twin.spaces.get(spaceId)?.leases.get(id);
      const { dispatchId, stage, expiresAt = now } = lease ?? {};
      return dispatchId === holder?.dispatchId && stage === 'announced' && expiresAt > now;
    });
  const lost = [...twin.grants.values()].filter(grant => {
    if (grant.isLost) return false;
    const runId = grant.holder?.runId ?? null;
    if (runId !== null) return !twin.liveRuns.has(runId);
    const batch = twin.batches.get(grant.callId)?.state;
    if (batch === 'submitting' || batch === 'open') return false;
    return grant.grantedAt < now - seconds(LONGEST_LAMBDA_SECONDS) && !isOnItsWay(grant);
  });
  for (const grant of lost) grant.isLost = true;
  for (const [spaceId, { leases }] of twin.spaces) {
    for (const lease of leases.values()) {
      if (lease.runId === null || lease.stage !== 'embedding') continue;
      const calls = lost.filter(
        call => call.spaceId === spaceId && call.holder?.dispatchId === lease.dispatchId,
      );
      const isOfRun = calls.some(({ holder }) => holder?.runId === lease.runId);
      const wasInCall = calls.some(({ holder }) => holder?.ids.includes(lease.id));
      if (isOfRun && !wasInCall) lease.stage = 'queued';
    }
  }
  return lost.length;
}

function expireLeasesOfDeadRuns(twin: TwinDatabase): number {
  const now = twin.now();
  let expired = 0;
  for (const { leases } of twin.spaces.values()) {
    for (const lease of leases.values()) {
      if (lease.runId === null || lease.expiresAt <= now || twin.liveRuns.has(lease.runId)) continue;
      lease.expiresAt = now;
      expired += 1;
    }
  }
  return expired;
}

function readPosition(twin: TwinDatabase, space: Space): DetectionPosition {
  const { position } = spaceOf(twin, space);
  return {
    watermark: printNullable(position?.watermark ?? null),
    reconcileCursor: position?.reconcileCursor ?? null,
    lastPassEndedAt: printNullable(position?.lastPassEndedAt ?? null),
    passOpen: position?.passOpen ?? true,
    unsentSince: printNullable(position?.unsentSince ?? null),
  };
}

function positionOf(table: TwinSpace): TwinPosition {
  table.position ??= {
    watermark: null,
    reconcileCursor: null,
    passStartedAt: null,
    lastPassStartedAt: null,
    lastPassEndedAt: null,
    passOpen: true,
    unsentSince: null,
  };
  return table.position;
}

function writeWatermark(twin: TwinDatabase, space: Space, candidates: readonly (string | null)[]): void {
  const times = candidates.filter(candidate => candidate !== null).map(readTimestamp);
  if (times.length === 0) return;
  const table = spaceOf(twin, space);
  const watermark = Math.min(...times);
  positionOf(table).watermark = watermark;
  twin.observer?.watermarkWritten(table, watermark);
}

function writeReconcileCursor(
  twin: TwinDatabase,
  space: Space,
  cursor: string | null,
  passEnded: boolean,
): void {
  const now = twin.now();
  const table = spaceOf(twin, space);
  const isFirst = table.position === undefined;
  const position = positionOf(table);
  position.reconcileCursor = cursor;
  position.passOpen = !passEnded;
  if (!passEnded) return;
  if (!isFirst) position.lastPassStartedAt = position.passStartedAt;
  position.passStartedAt = now;
  position.lastPassEndedAt = now;
}

function readHorizon(twin: TwinDatabase): string | null {
  let oldest: Micros = twin.now();
  for (const { startedAt, prepared, holdsTick } of twin.openTransactions) {
    if (holdsTick) continue;
    if (prepared) return null;
    oldest = Math.min(oldest, startedAt);
  }
  return printTimestamp(oldest - seconds(twin.horizonMarginSeconds));
}

const MISSING_ROWS = 20;
const MISSING_SHARE = 0.1;
const HOUR = seconds(3600);

function removeOrphans(
  twin: TwinDatabase,
  space: Space,
  slice: { readonly after: string | null; readonly through: string | null },
): OrphanReport {
  const now = twin.now();
  const table = spaceOf(twin, space);
  const source = sourceOf(twin, space);
  const isMissing = (id: string) => visibleRow(source, id) === undefined;
  const within = [...table.outcomes.values()].filter(({ id }) => isWithin(id, slice.after, slice.through));
  const missing = within.filter(({ id }) => isMissing(id)).length;
  const isConfirmed = twin.pauses.some(
    ({ scope, reason, since }) =>
      scope === `source:${space.source.name}` && reason === ORPHANS_CONFIRMED && since > now - 24 * HOUR,
  );
  let stopped: OrphanReport['stopped'] = null;
  if (missing > 0 && source.rowSecurity) stopped = 'row-security';
  else if (missing > 0 && !isConfirmed) {
    const isMuch = missing >= MISSING_ROWS && missing > MISSING_SHARE * within.length;
    if (visibleRows(source).length === 0 || isMuch) stopped = 'too-many';
  }
  const report = { marked: 0, deleted: 0, stopped };
  if (stopped === 'row-security') return report;
  const passStarted = table.position?.lastPassStartedAt ?? null;
  for (const outcome of within) {
    const since = outcome.missingSince;
    if (!isMissing(outcome.id)) outcome.missingSince = null;
    else if (stopped !== null) continue;
    else if (since === null) {
      outcome.missingSince = now;
      report.marked += 1;
    } else if (since <= now - HOUR && passStarted !== null && since < passStarted) {
      table.outcomes.delete(outcome.id);
      report.deleted += 1;
      twin.observer?.outcomeDeleted(table, outcome);
    }
  }
  return report;
}
