import type { Space } from '../../core/model.ts';
import type { DetectPorts, ScanRest, SpaceReport } from './detect-ports.ts';
import { addOrphans } from './passes.ts';

/** What a look at a space came to. */
export interface Look {
  readonly report: SpaceReport;
  /**
   * Where the tick goes on; undefined: the space has nothing more for this tick.
   * `stored`: a reconcile pass goes on from its stored cursor.
   */
  readonly rest: ScanRest | 'stored' | undefined;
}

/** Milliseconds that must be left of the tick before it looks again. */
const RESERVE_MS = 15_000;

/** Milliseconds between two looks at what is in flight: as long as work drains, and at most. */
const SHORTEST_WAIT_MS = 1_000;
const LONGEST_WAIT_MS = 8_000;

/** Milliseconds without any row finished after which a tick ends: the next tick looks again. */
const PATIENCE_MS = 30_000;

/**
 * The share of `maxInFlight` that must be free before a space is looked at again.
 * Three quarters stay in flight meanwhile, so that no worker waits for the look.
 */
const FREE_SHARE = 0.25;

/**
 * Goes on leasing within the tick, in every space that has more, as its work drains.
 * `look` looks at a space again from where the last look ended, and leaves time for the turns of
 * the others that have more. The tick ends when nothing is left,
 * its time is nearly over or nothing moves any more. Returns the last report of each space, with
 * the rows of all looks.
 */
export async function leaseAsWorkDrains(
  ports: Pick<DetectPorts, 'detection' | 'drainClock' | 'limits'>,
  first: readonly (Look & { readonly space: Space })[],
  look: (space: Space, rest: Look['rest'], turns: number) => Promise<Look>,
  remainingMs: () => number,
): Promise<SpaceReport[]> {
  const { drainClock: clock, detection, limits } = ports;
  const looks = first.map(found => ({ ...found, inFlight: Number.POSITIVE_INFINITY }));
  const enough = Math.max(1, Math.floor(limits.maxInFlight * FREE_SHARE));
  const hasTime = () => remainingMs() > RESERVE_MS;
  let waitMs = SHORTEST_WAIT_MS;
  let idleMs = 0;
  while (clock && looks.some(({ rest }) => rest) && idleMs < PATIENCE_MS && hasTime()) {
    await clock.sleep(waitMs);
    let drained = false;
    for (const [position, found] of looks.entries()) {
      if (found.rest === undefined || !hasTime()) continue;
      const inFlight = await detection.countInFlight(found.space);
      drained ||= inFlight < found.inFlight;
      found.inFlight = inFlight;
      if (limits.maxInFlight - inFlight < enough) continue;
      const turns = looks.slice(position).filter(other => other.rest).length;
      const { report, rest } = await look(found.space, found.rest, turns);
      Object.assign(found, { report: addLooks(found.report, report), rest });
      found.inFlight += report.leased;
    }
    idleMs = drained ? 0 : idleMs + waitMs;
    waitMs = drained ? SHORTEST_WAIT_MS : Math.min(LONGEST_WAIT_MS, 2 * waitMs);
  }
  return looks.map(({ report }) => report);
}

/** Adds what a look that went on found to what the looks before it did. */
export function addLooks(before: SpaceReport, after: SpaceReport): SpaceReport {
  const orphans = after.orphans && addOrphans(before.orphans, after.orphans);
  return {
    ...before,
    ...after,
    ...(orphans && { orphans }),
    skipped: [...before.skipped, ...after.skipped],
    leased: before.leased + after.leased,
    sent: before.sent + after.sent,
    slices: before.slices + after.slices,
    passBegan: before.passBegan,
  };
}
