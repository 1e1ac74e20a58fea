import type { Space } from '../../lib/core/model.ts';
import { coveragePercent } from '../../lib/core/outcomes.ts';
import type { Coverage } from '../../lib/ports/report-store.ts';
import {
  isDoubled,
  isExcluded,
  isLive,
  sourceOf,
  spaceOf,
  type TwinDatabase,
  visibleRows,
} from './twin-database.ts';

/** `coverage.ts`, without the time of the last update: the twin has a clock of its own. */
export function readCoverage(twin: TwinDatabase, space: Space): Omit<Coverage, 'lastUpdate'> {
  const now = twin.now();
  const { outcomes, leases } = spaceOf(twin, space);
  const counts = { eligible: 0, fresh: 0, stale: 0, inFlight: 0, failed: 0, excluded: 0 };
  for (const row of visibleRows(sourceOf(twin, space))) {
    counts.eligible += 1;
    const outcome = outcomes.get(row.id);
    const lease = leases.get(row.id);
    if (isDoubled(outcome)) counts.failed += 1;
    else if (outcome && outcome.version === row.version) {
      if (outcome.outcome === 'embedded') counts.fresh += 1;
      else if (isExcluded(outcome.outcome)) counts.excluded += 1;
      else counts.failed += 1;
    } else if (lease && isLive(twin, lease, now)) counts.inFlight += 1;
    else counts.stale += 1;
  }
  const { source, model } = space;
  const percent = coveragePercent(counts.fresh, counts.eligible, counts.excluded);
  return { source: source.name, model: model.alias, ...counts, coveragePercent: percent };
}

/** `retry-failures.ts`, for all of the space's failed rows. */
export function retryFailures(twin: TwinDatabase, space: Space): number {
  const now = twin.now();
  const { outcomes, leases, failures } = spaceOf(twin, space);
  const dispatchId = twin.newIdentifier();
  let rows = 0;
  for (const outcome of outcomes.values()) {
    if (!/^(undelivered|refused:)/.test(outcome.outcome)) continue;
    if (outcome.version === Number.NEGATIVE_INFINITY) continue;
    rows += 1;
    outcome.version = Number.NEGATIVE_INFINITY;
    outcome.xid = null;
    if (outcome.contentHash !== null) failures.delete(outcome.contentHash);
    const lease = leases.get(outcome.id);
    if (!lease) {
      leases.set(outcome.id, {
        ...{ id: outcome.id, dispatchId, lane: 'fresh', stage: 'queued', attempts: 0, runId: null },
        ...{ firstSeen: now, expiresAt: now, waitsFor: null, waitsVersion: null },
      });
    } else if (lease.expiresAt <= now) Object.assign(lease, { dispatchId, stage: 'queued', attempts: 0 });
  }
  return rows;
}
