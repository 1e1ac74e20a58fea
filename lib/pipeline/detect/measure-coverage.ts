import type { Space } from '../../core/model/space.ts';
import { describeFailure } from '../describe-failure.ts';
import type { DetectPorts } from './detect-ports.ts';

/** Kept for the spaces and the metrics after it. */
const RESERVE_MS = 15_000;
const MAX_MEASURE_MS = 60_000;

/**
 * At the end of a walk, because it reads the whole table once more: about once a day, and when a backfill is done. A table that takes longer
 * than there is time goes without.
 */
export async function measureCoverage(
  ports: DetectPorts,
  space: Space,
  remainingMs: () => number,
): Promise<void> {
  const timeoutMs = Math.min(MAX_MEASURE_MS, remainingMs() - RESERVE_MS);
  if (ports.readCoveragePercent === undefined || timeoutMs <= 0) return;
  try {
    ports.metrics.count('CoveragePercent', await ports.readCoveragePercent(space, timeoutMs));
  } catch (error) {
    const { code, failureClass } = describeFailure(error);
    ports.logger.warn('coverage-not-measured', { spaceId: space.spaceId, code, failureClass });
  }
}
