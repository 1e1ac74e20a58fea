import type { DetectPorts, DetectReport, DetectRequest } from './detect-ports.ts';
import { detectStaleRows } from './detect-stale-rows.ts';

/**
 * Runs one tick of the deployed pipeline, unless another tick of the same pass is at work.
 * Schedules overlap and are delivered at least once: a tick that finds another of its kind at work
 * ends well. The two passes do not keep each other out, because a full reconcile takes longer than
 * edits may wait.
 */
export async function detectAlone(
  ports: DetectPorts,
  request: DetectRequest,
  remainingMs: () => number,
): Promise<DetectReport> {
  const { lock, logger, metrics } = ports;
  const detect = () => detectStaleRows(ports, request, remainingMs);
  if (lock === undefined) return detect();
  const report = await lock.tryAlone(`detect:${request.pass}`, remainingMs(), detect);
  metrics.count('OverlappedTicks', report === undefined ? 1 : 0);
  if (report !== undefined) return report;
  logger.info('tick-overlapped', { pass: request.pass });
  return { spaces: [], overlapped: true };
}
