import type { Space } from '../../lib/core/model.ts';
import type { ChangedRows, LeasedRow, LeaseRequest, StaleSlice } from '../../lib/ports/detection-store.ts';
import { type Micros, printNullable, readNullable, seconds } from './timestamps.ts';
import {
  compareKeys,
  isWithin,
  sourceOf,
  spaceOf,
  type TwinDatabase,
  type TwinLease,
  type TwinOutcome,
  type TwinRow,
  type TwinSpace,
  visibleRow,
  visibleRows,
} from './twin-database.ts';

interface Candidate {
  readonly row: TwinRow;
  readonly attempts: number;
  readonly afterwards: boolean;
}

/** `lease-changed-rows.ts` */
export function leaseChangedRows(
  twin: TwinDatabase,
  space: Space,
  request: LeaseRequest & { readonly watermark: string | null },
): ChangedRows {
  const now = twin.now();
  const table = spaceOf(twin, space);
  const source = sourceOf(twin, space);
  const watermark = readNullable(request.watermark);
  const changed = visibleRows(source)
    .filter(row => watermark !== null && row.version !== null && row.version >= watermark)
    .filter(row => table.outcomes.get(row.id)?.version !== row.version)
    .filter(row => isFree(table.leases.get(row.id), request, now))
    .sort((a, b) => compareVersions(a.version, b.version) || compareKeys(a.id, b.id))
    .slice(0, request.limit + 1)
    .map(row => candidateOf(table, row, false));
  const changedIds = new Set(changed.map(({ row }) => row.id));
  const expired: Candidate[] = [];
  for (const lease of [...table.leases.values()]) {
    if (lease.expiresAt > now) continue;
    const row = visibleRow(source, lease.id);
    if (!row || !isOutdated(table.outcomes.get(lease.id), row)) table.leases.delete(lease.id);
    else if (!changedIds.has(lease.id)) expired.push(candidateOf(table, row, lease.lane === 'bulk'));
  }
  const candidates = [...changed, ...expired].sort(
    (a, b) =>
      a.attempts - b.attempts ||
      Number(a.afterwards) - Number(b.afterwards) ||
      compareVersions(a.row.version, b.row.version) ||
      compareKeys(a.row.id, b.row.id),
  );
  const rows = leaseRows(table, candidates.slice(0, request.limit), request, now);
  let firstUnsent: Micros | null = null;
  for (const { row } of candidates.slice(request.limit)) {
    if (!changedIds.has(row.id) || row.version === null) continue;
    firstUnsent = firstUnsent === null ? row.version : Math.min(firstUnsent, row.version);
  }
  return { rows, firstUnsentVersion: printNullable(firstUnsent) };
}

/** `lease-stale-slice.ts` */
export function leaseStaleSlice(
  twin: TwinDatabase,
  space: Space,
  request: LeaseRequest & { readonly after: string | null; readonly through: string | null },
): StaleSlice {
  const now = twin.now();
  const table = spaceOf(twin, space);
  const isMissing = ({ row }: Candidate) => !table.outcomes.has(row.id);
  const candidates = visibleRows(sourceOf(twin, space))
    .filter(({ id }) => isWithin(id, request.after, request.through))
    .filter(row => isOutdated(table.outcomes.get(row.id), row))
    .filter(row => isFree(table.leases.get(row.id), request, now))
    .map(row => candidateOf(table, row, false))
    .sort(
      (a, b) =>
        a.attempts - b.attempts ||
        Number(isMissing(b)) - Number(isMissing(a)) ||
        compareNewestFirst(a.row.version, b.row.version) ||
        compareKeys(a.row.id, b.row.id),
    );
  return {
    rows: leaseRows(table, candidates.slice(0, request.limit), request, now),
    truncated: candidates.length > request.limit,
  };
}

/** `isFree` of `lease-chosen-rows.ts` */
function isFree(lease: TwinLease | undefined, request: LeaseRequest, now: Micros): boolean {
  if (!lease || lease.expiresAt <= now) return true;
  return request.lane === 'fresh' && lease.lane === 'bulk' && lease.stage === 'queued';
}

const hasBegun = ({ stage }: TwinLease) => stage === 'embedding' || stage === 'announced';

function candidateOf(table: TwinSpace, row: TwinRow, afterwards: boolean): Candidate {
  const lease = table.leases.get(row.id);
  const attempts = lease ? lease.attempts + (hasBegun(lease) ? 1 : 0) : 0;
  return { row, attempts, afterwards };
}

function isOutdated(outcome: TwinOutcome | undefined, row: TwinRow): boolean {
  return !outcome || outcome.version !== row.version || outcome.xid !== row.xid;
}

function leaseRows(
  table: TwinSpace,
  candidates: readonly Candidate[],
  request: LeaseRequest,
  now: Micros,
): LeasedRow[] {
  return candidates.map(({ row: { id, version } }) => {
    const old = table.leases.get(id);
    const hadExpired = old !== undefined && old.expiresAt <= now;
    const attempts = old ? old.attempts + (hadExpired && hasBegun(old) ? 1 : 0) : 0;
    table.leases.set(id, {
      id,
      dispatchId: request.dispatchId,
      lane: request.lane,
      stage: request.stage,
      attempts,
      runId: request.runId,
      firstSeen: hadExpired ? old.firstSeen : now,
      expiresAt: now + seconds(request.leaseSeconds),
    });
    return { id, attempts, version: printNullable(version) };
  });
}

/** ASC, which is NULLS LAST. */
function compareVersions(a: Micros | null, b: Micros | null): number {
  if (a === null || b === null) return Number(a === null) - Number(b === null);
  return a < b ? -1 : a > b ? 1 : 0;
}

/** DESC NULLS LAST. */
function compareNewestFirst(a: Micros | null, b: Micros | null): number {
  if (a === null || b === null) return Number(a === null) - Number(b === null);
  return compareVersions(b, a);
}
