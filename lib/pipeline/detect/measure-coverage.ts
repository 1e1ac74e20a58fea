import type { Space } from '../../core/model/space.ts';
import { describeFailure } from '../describe-failure.ts';
import type { DetectPorts } from './detect-ports.ts';

/** Milliseconds kept for the spaces and the metrics that come after the measuring. */
const RESERVE_MS = 15_000;
const MAX_MEASURE_MS = 60_000;

/**
 * Measures the coverage of a space at the end of its walk over the keys.
 * Measuring reads the whole table once more, so that it happens about once a day and when a
 * backfill is done. A table that takes longer than the time that is left is not measured.
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
