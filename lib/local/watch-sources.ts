import { OPERATOR_PAUSE } from '../core/control.ts';
import { FreshetError } from '../core/errors.ts';
import { describeFaults } from '../core/run-end.ts';
import type { ObservedReason } from '../ports/process.ts';
import type { LocalRunPorts, RunSummary } from './run-ports.ts';
import { runUntilFresh } from './run-until-fresh.ts';

/** Milliseconds between two reconcile passes, which find what `updated_at` does not show. */
const RECONCILE_EVERY_MS = 600_000;

/** Looks that nudges ask for begin at least this far apart, however many nudges come. */
const NUDGED_LOOK_EVERY_MS = 1000;

/**
 * Runs until nothing is stale, and then again and again, `intervalMs` apart.
 * A nudge ends the wait, and one that came while a run looked is followed by another run.
 * Every run makes an incremental pass, and one run in ten minutes a reconcile pass too. Faults of a
 * source are told once to `onFault`, and the other sources go on. Resolves when the signal aborts.
 * @throws FreshetError as `runUntilFresh` does, but not for a pause that an operator set.
 */
export async function watchSources(
  ports: LocalRunPorts,
  options: {
    readonly intervalMs: number;
    readonly onFault: (reason: ObservedReason) => void;
    /** Begins to wait for a nudge: aborts at the first one from now on. */
    readonly nextNudge: () => AbortSignal;
  },
): Promise<RunSummary> {
  const { clock, signal } = ports;
  const announced = new Set<string>();
  for (let reconcileAtMs = clock.now(); ; ) {
    const startedMs = clock.now();
    const nudge = options.nextNudge();
    const isDue = startedMs >= reconcileAtMs;
    if (isDue) reconcileAtMs = startedMs + RECONCILE_EVERY_MS;
    const result = await runOrReportPause({ ...ports, passes: isDue ? 'both' : 'incremental' });
    for (const fault of result.faults) {
      const { source, code } = fault;
      if (announced.has(`${source} ${code}`)) continue;
      announced.add(`${source} ${code}`);
      options.onFault({ failureClass: 'stop', code, message: describeFaults([fault]) });
    }
    if (signal?.aborted) return result;
    await clock.sleep(options.intervalMs, signal === undefined ? nudge : AbortSignal.any([signal, nudge]));
    if (nudge.aborted) await clock.sleep(startedMs + NUDGED_LOOK_EVERY_MS - clock.now(), signal);
  }
}

/**
 * Runs once; where an operator paused everything, resolves with the pause as a fault.
 * An operator resumes what an operator paused, and a watching run waits until then.
 */
async function runOrReportPause(ports: LocalRunPorts): Promise<RunSummary> {
  try {
    return await runUntilFresh(ports);
  } catch (error) {
    if (!(error instanceof FreshetError) || error.code !== OPERATOR_PAUSE) throw error;
    const names = new Set((await ports.spaces.list()).map(space => space.source.name));
    return {
      ...ports.tally.totals(),
      interrupted: ports.signal?.aborted ?? false,
      deadLetters: 0,
      orphansKept: [],
      skipped: [],
      faults: [...names].map(source => ({ source, code: error.code, message: error.message })),
    };
  }
}
