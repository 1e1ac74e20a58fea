import type { Space } from '../../lib/core/model.ts';
import type { Micros } from './timestamps.ts';
import {
  isDoubled,
  sourceOf,
  spaceOf,
  type TwinDatabase,
  type TwinLease,
  visibleRow,
} from './twin-database.ts';

/** `lock-leases.ts` */
export function ownLeases(
  twin: TwinDatabase,
  space: Space,
  dispatchId: string,
  ids?: readonly string[],
): TwinLease[] {
  const { leases } = spaceOf(twin, space);
  return [...new Set(ids ?? leases.keys())]
    .map(id => leases.get(id))
    .filter(lease => lease !== undefined)
    .filter(lease => lease.dispatchId === dispatchId);
}

/** `release-leases.ts` */
export function releaseLeases(
  twin: TwinDatabase,
  space: Space,
  dispatchId: string,
  ids: readonly string[],
  now: Micros,
): void {
  const table = spaceOf(twin, space);
  for (const lease of ownLeases(twin, space, dispatchId, ids)) {
    const row = visibleRow(sourceOf(twin, space), lease.id);
    const outcome = table.outcomes.get(lease.id);
    const isSettled =
      !row || isDoubled(outcome) || (outcome?.xid === row.xid && outcome.version === row.version);
    if (isSettled) table.leases.delete(lease.id);
    else Object.assign(lease, { stage: 'queued', attempts: 0, expiresAt: now });
  }
}
