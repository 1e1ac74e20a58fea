import type { Space } from '../../lib/core/model.ts';
import type {
  ChangedRows,
  DetectionStore,
  LeasedRow,
  LeaseRequest,
  ScanPlace,
  StaleSlice,
  WalkedRows,
} from '../../lib/ports/detection-store.ts';
import { type Micros, printNullable, printTimestamp, readNullable, seconds } from './timestamps.ts';
import {
  compareKeys,
  isDoubled,
  isWithin,
  sourceOf,
  spaceOf,
  type TwinDatabase,
  type TwinLease,
  type TwinOutcome,
  type TwinRow,
  type TwinSource,
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
  request: Parameters<DetectionStore['leaseChangedRows']>[1],
): ChangedRows {
  const now = twin.now();
  const table = spaceOf(twin, space);
  const source = sourceOf(twin, space);
  const { from } = request;
  const watermark = readNullable(from?.version ?? request.watermark);
  const changed = comparableRows(source)
    .filter(row => watermark !== null && row.version !== null && row.version >= watermark)
    .filter(row => !from || row.version !== watermark || compareKeys(row.id, from.id) >= 0)
    .filter(row => table.outcomes.get(row.id)?.version !== row.version)
    .filter(row => !isDoubled(table.outcomes.get(row.id)))
    .filter(row => isFreeForEdit(table.leases.get(row.id), row, now))
    .sort((a, b) => compareVersions(a.version, b.version) || compareKeys(a.id, b.id))
    .slice(0, request.limit + 1)
    .map(row => candidateOf(table, row, false));
  const changedIds = new Set(changed.map(({ row }) => row.id));
  const expired: Candidate[] = [];
  for (const lease of [...table.leases.values()]) {
    if (lease.expiresAt > now) continue;
    const row = visibleRow(source, lease.id);
    if (row && source.raising.has(lease.id)) continue;
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
  const chosen = candidates.slice(0, request.limit).filter(candidate => isAllowed(candidate, request));
  const rows = leaseRows(table, chosen, request, now);
  const [firstUnsent] = candidates
    .slice(request.limit)
    .flatMap(({ row: { id, version } }) => (changedIds.has(id) && version !== null ? [{ id, version }] : []))
    .sort((a, b) => a.version - b.version || compareKeys(a.id, b.id));
  return {
    rows,
    firstUnsent: firstUnsent ? { version: printTimestamp(firstUnsent.version), id: firstUnsent.id } : null,
  };
}

/** `lease-behind-crowd.ts` */
export function leaseBehindCrowd(
  twin: TwinDatabase,
  space: Space,
  request: Parameters<DetectionStore['leaseBehindCrowd']>[1],
): WalkedRows {
  if (space.source.tenantColumn === undefined) return { rows: [], newest: null, end: null, isCut: true };
  const now = twin.now();
  const table = spaceOf(twin, space);
  const source = sourceOf(twin, space);
  const { from, newerThan, olderThan, page, walkedRows, limit } = request;
  const tenantOf = (row: TwinRow | undefined) => row?.tenant ?? row?.text ?? '';
  const rowsOfPage = page.flatMap(id => visibleRow(source, id) ?? []);
  const counts = Map.groupBy(rowsOfPage, tenantOf);
  const isCrowding = (tenant: string) => 10 * (counts.get(tenant)?.length ?? 0) > page.length;
  const oldestFirst = visibleRows(source)
    .filter(row => row.version !== null)
    .sort((a, b) => compareVersions(a.version, b.version) || compareKeys(a.id, b.id));
  const isPast = (row: TwinRow | undefined) => row !== undefined && compareVersions(row.version, now) <= 0;
  const [newest] = oldestFirst
    .toReversed()
    .filter(row => olderThan === undefined && isPast(row))
    .filter(row => compareVersions(row.version, readNullable(from.version)) >= 0);
  const walked =
    newerThan === undefined
      ? oldestFirst
          .toReversed()
          .filter(row => compareToPlace(row, from) >= 0)
          .filter(row => olderThan === undefined || compareToPlace(row, olderThan) < 0)
          .slice(0, walkedRows)
      : oldestFirst.filter(row => compareToPlace(row, newerThan) > 0).slice(0, walkedRows);
  const others = walked.filter(row => !isCrowding(tenantOf(row)));
  const last = walked[walkedRows - 1];
  const places = {
    newest: placeOf(newest),
    end: newerThan === undefined || isPast(last) ? placeOf(last) : null,
  };
  // A row that raises fails the statement, and with it all others: they wait for the scan.
  if (others.some(({ id }) => source.raising.has(id))) return { ...places, rows: [], isCut: false };
  const candidates = others
    .filter(row => table.outcomes.get(row.id)?.version !== row.version)
    .filter(row => !isDoubled(table.outcomes.get(row.id)))
    .filter(row => isFreeForEdit(table.leases.get(row.id), row, now))
    .sort((a, b) => compareVersions(a.version, b.version) || compareKeys(a.id, b.id))
    .map(row => candidateOf(table, row, false))
    .filter(candidate => isAllowed(candidate, request));
  return {
    rows: leaseRows(table, candidates.slice(0, limit), request, now),
    ...places,
    isCut: candidates.length > limit,
  };
}

const placeOf = (row: TwinRow | undefined): ScanPlace | null =>
  row === undefined ? null : { version: printTimestamp(row.version ?? 0), id: row.id };

const compareToPlace = (row: TwinRow, place: ScanPlace): number =>
  compareVersions(row.version, readNullable(place.version)) || compareKeys(row.id, place.id);

/** `countUnsentRows` of `lease-changed-rows.ts` */
export function countUnsentRows(twin: TwinDatabase, space: Space, atMost: number): number {
  const now = twin.now();
  const table = spaceOf(twin, space);
  const watermark = table.position?.watermark ?? null;
  const unsent = comparableRows(sourceOf(twin, space))
    .filter(row => watermark !== null && row.version !== null && row.version >= watermark)
    .filter(row => table.outcomes.get(row.id)?.version !== row.version)
    .filter(row => !isDoubled(table.outcomes.get(row.id)))
    .filter(row => {
      const lease = table.leases.get(row.id);
      return !lease || (lease.lane === 'bulk' && isFreeForEdit(lease, row, now));
    });
  return Math.min(atMost, unsent.length);
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
  const source = sourceOf(twin, space);
  const skipped = visibleRows(source)
    .filter(({ id }) => source.raising.has(id) && isWithin(id, request.after, request.through))
    .map(({ id }) => ({ id, code: RAISED_CODE }));
  const candidates = comparableRows(source)
    .filter(({ id }) => isWithin(id, request.after, request.through))
    .filter(row => isOutdated(table.outcomes.get(row.id), row) || isDoubled(table.outcomes.get(row.id)))
    .filter(row => isFree(table.leases.get(row.id), request, now))
    .map(row => candidateOf(table, row, false))
    .filter(candidate => isAllowed(candidate, request))
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
    ...(skipped.length > 0 && { skipped }),
  };
}

/** What a cast of a text that is no time raises. */
const RAISED_CODE = 'sqlstate_22007';

const comparableRows = (source: TwinSource) =>
  visibleRows(source).filter(({ id }) => !source.raising.has(id));

/** `isFree` of `leases.ts` */
function isFree(lease: TwinLease | undefined, request: Pick<LeaseRequest, 'lane'>, now: Micros): boolean {
  if (!lease || lease.expiresAt <= now) return true;
  return request.lane === 'fresh' && lease.lane === 'bulk' && lease.stage === 'queued';
}

/** `isFreeForEdit` of `leases.ts` */
function isFreeForEdit(lease: TwinLease | undefined, row: TwinRow, now: Micros): boolean {
  if (!isFree(lease, { lane: 'fresh' }, now)) return false;
  if (!lease || lease.waitsFor === null || lease.expiresAt <= now) return true;
  return lease.waitsVersion !== printNullable(row.version);
}

const isAllowed = ({ attempts }: Candidate, { maxAttempts = Number.POSITIVE_INFINITY }: LeaseRequest) =>
  attempts <= maxAttempts;

const hasBegun = ({ stage }: TwinLease) => stage === 'embedding' || stage === 'announced';

function candidateOf(table: TwinSpace, row: TwinRow, afterwards: boolean): Candidate {
  const lease = table.leases.get(row.id);
  const attempts = lease ? lease.attempts + (hasBegun(lease) ? 1 : 0) : 0;
  return { row, attempts, afterwards };
}

function isOutdated(outcome: TwinOutcome | undefined, row: TwinRow): boolean {
  if (!outcome) return true;
  return (outcome.version !== row.version || outcome.xid !== row.xid) && !isDoubled(outcome);
}

function leaseRows(
  table: TwinSpace,
  candidates: readonly Candidate[],
  request: LeaseRequest,
  now: Micros,
): LeasedRow[] {
  const unsentSince = request.lane === 'fresh' ? table.position?.unsentSince : undefined;
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
      firstSeen: hadExpired ? old.firstSeen : Math.min(now, unsentSince ?? now),
      expiresAt: now + seconds(request.leaseSeconds),
      waitsFor: null,
      waitsVersion: null,
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
