import type { Space } from '../../core/model/space.ts';
import { describeFailure } from '../describe-failure.ts';
import { checkSource } from './check-source.ts';
import { detectChangedRows } from './detect-changed-rows.ts';
import {
  type DetectPorts,
  type DetectReport,
  type DetectRequest,
  NOTHING_DETECTED,
  type PassResult,
  type SpaceReport,
} from './detect-ports.ts';
import { isNeeded } from './is-needed.ts';
import { measureCoverage } from './measure-coverage.ts';
import { reconcileSpace } from './reconcile-space.ts';

/**
 * Runs one tick of `detect` over every space that was asked for.
 * A space that fails is reported and does not stop the others.
 * @throws FreshetError for what concerns no space in particular: the registry, and the leases of
 * dead runs.
 */
export async function detectStaleRows(
  ports: DetectPorts,
  request: DetectRequest,
  remainingMs: () => number,
): Promise<DetectReport> {
  const expired = await ports.detection.expireLeasesOfDeadRuns();
  if (expired > 0) ports.logger.info('leases-of-dead-runs-expired', { rows: expired });
  const spaces = (await ports.spaces.list()).filter(
    space => request.sources === undefined || request.sources.includes(space.source.name),
  );
  const reports: SpaceReport[] = [];
  let allowance = request.maxRows ?? Number.POSITIVE_INFINITY;
  for (const space of spaces) {
    const report = await detectSpace(ports, space, request, allowance, remainingMs);
    allowance -= report.leased;
    reports.push(report);
  }
  return { spaces: reports };
}

async function detectSpace(
  ports: DetectPorts,
  space: Space,
  { pass, resume = false }: DetectRequest,
  allowance: number,
  remainingMs: () => number,
): Promise<SpaceReport> {
  const named = {
    ...{ spaceId: space.spaceId, source: space.source.name, model: space.model.alias },
    ...(space.fallbackFor && { fallback: true }),
  };
  try {
    if (!(await isNeeded(ports.control, space)))
      return { ...named, ...NOTHING_DETECTED, passBegan: true, passEnded: true };
    const { fault, pausedBy } = await checkSource(ports, space);
    if (fault) {
      ports.metrics.count('SourceFaults', 1);
      ports.logger.error('source-fault', { ...named, code: fault.code });
      return { ...named, ...NOTHING_DETECTED, fault };
    }
    if (pausedBy.length > 0) {
      for (const { scope, reason } of pausedBy)
        ports.logger.warn('space-paused', { ...named, scope, reason });
      if (pass === 'incremental') await reportStaleness(ports, space);
      return { ...named, ...NOTHING_DETECTED, pausedBy };
    }
    const inFlight = await ports.detection.countInFlight(space);
    const capacity = Math.min(ports.limits.maxInFlight - inFlight, allowance);
    const result =
      pass === 'incremental'
        ? await detectChangedRows(ports, space, capacity)
        : await reconcileSpace(ports, space, { capacity, resume }, remainingMs);
    reportPass(ports, space, result);
    if (result.passEnded) await measureCoverage(ports, space, remainingMs);
    if (pass === 'incremental') await reportStaleness(ports, space);
    return { ...named, ...result };
  } catch (error) {
    const { code, message, failureClass } = describeFailure(error);
    ports.metrics.count('SpaceFailures', 1);
    ports.logger.error('space-failed', { ...named, code, failureClass, message });
    return { ...named, ...NOTHING_DETECTED, fault: { code, message, failureClass } };
  }
}

function reportPass(ports: DetectPorts, space: Space, result: PassResult): void {
  const { metrics, logger } = ports;
  metrics.count('DetectedRows', result.leased);
  metrics.count('SentRows', result.sent);
  const { orphans } = result;
  if (!orphans) return;
  metrics.count('OrphansDeleted', orphans.deleted);
  metrics.count('OrphanRemovalStopped', orphans.stopped ? 1 : 0);
  if (orphans.stopped) {
    logger.error('orphan-removal-stopped', { spaceId: space.spaceId, cause: orphans.stopped });
  }
}

/**
 * Reports how many rows wait and for how long, also while the space is paused or full.
 * The age of the oldest row is the promise that the alarm watches.
 */
async function reportStaleness(ports: DetectPorts, space: Space): Promise<void> {
  const { metrics, reportsStaleness } = ports;
  if (reportsStaleness === false) return;
  const { fresh, bulk } = await ports.detection.readStaleness(space);
  metrics.count('StaleRows', fresh.rows);
  metrics.count('OldestStaleRowAgeSeconds', fresh.oldestAgeSeconds);
  metrics.count('BulkRows', bulk.rows);
  metrics.count('OldestBulkRowAgeSeconds', bulk.oldestAgeSeconds);
}
