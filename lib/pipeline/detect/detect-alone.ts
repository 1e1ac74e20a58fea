import type { TickLock } from '../../ports/detection-store.ts';
import { detectStaleRows } from './detect.ts';
import type { DetectPorts, DetectReport, DetectRequest } from './detect-ports.ts';
import { applyMode } from './detect-request.ts';

/**
 * Runs one tick of the deployed pipeline, unless another tick of the same pass is at work.
 * Schedules overlap and are delivered at least once: a tick that finds another of its kind at work
 * ends well. The two passes do not keep each other out, because a full reconcile takes longer than
 * edits may wait.
 */
export async function detectAlone(
  given: DetectPorts,
  asked: DetectRequest,
  remainingMs: () => number,
): Promise<DetectReport> {
  const { ports, request } = applyMode(given, asked);
  const { lock, logger, metrics } = ports;
  const detect = () => detectStaleRows(ports, request, remainingMs);
  if (lock === undefined) return detect();
  if (request.nudged) return detectNudged(ports, lock, request, remainingMs);
  const report = await lock.tryAlone(nameOfTick(request), remainingMs(), detect);
  metrics.count('OverlappedTicks', report === undefined ? 1 : 0);
  if (report !== undefined) return report;
  logger.info('tick-overlapped', { pass: request.pass });
  return { spaces: [], overlapped: true };
}

/** Looks that were asked for begin so far apart. */
const NUDGED_EVERY_MS = 1000;
/** A look that was kept out tries again when the one that keeps it out has had its second. */
const TRIED_AGAIN_MS = NUDGED_EVERY_MS + 100;

/**
 * Looks once because an application asked for it, at most once a second whoever asks.
 * A look keeps others out for a second from its beginning. Who is kept out tries once more: by then
 * the lock is free, or another look has begun since, which sees whatever the asker changed. Only a
 * look that takes longer than a second can hide it, and the schedule finds the rows then. It does
 * not wait for work to drain, and keeps no tick of a schedule out: leases part the rows among them.
 */
async function detectNudged(
  ports: DetectPorts,
  lock: TickLock,
  request: DetectRequest,
  remainingMs: () => number,
): Promise<DetectReport> {
  const { drainClock: clock, ...once } = ports;
  const look = async () => {
    const beganMs = clock?.now() ?? 0;
    const report = await detectStaleRows(once, request, remainingMs);
    await clock?.sleep(Math.max(0, NUDGED_EVERY_MS - (clock.now() - beganMs)));
    return report;
  };
  const first = await lock.tryAlone('detect:nudged', remainingMs(), look);
  if (first !== undefined) return first;
  await clock?.sleep(TRIED_AGAIN_MS);
  const second = await lock.tryAlone('detect:nudged', remainingMs(), look);
  return second ?? { spaces: [], overlapped: true };
}

/**
 * Names the ticks that keep each other out.
 * A source with a schedule of its own for edits does not wait for the others, nor they for it.
 */
function nameOfTick({ pass, sources }: DetectRequest): string {
  const own = pass === 'incremental' && sources !== undefined ? `:${sources.join()}` : '';
  return `detect:${pass}${own}`;
}
