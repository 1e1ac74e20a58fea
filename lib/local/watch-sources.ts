import { OPERATOR_PAUSE } from '../core/control.ts';
import { FreshetError } from '../core/errors.ts';
import type { LocalRunPorts, RunSummary } from './run-parts.ts';
import { runUntilFresh } from './run-until-fresh.ts';

/** What `updated_at` does not show is found this late. */
const RECONCILE_EVERY_MS = 600_000;

/**
 * Runs until nothing is stale, and then again and again: an incremental pass every `intervalMs`, a reconcile pass every ten minutes. Resolves
 * when the signal aborts; rejects as a run does. A source that breaks is told and left out, the others go on.
 */
export async function watchSources(
  parts: LocalRunPorts,
  options: {
    readonly intervalMs: number;
    readonly onPassEnded: (faults: RunSummary['faults']) => void;
  },
): Promise<RunSummary> {
  const { clock, signal } = parts;
  for (let reconcileAtMs = clock.now(); ; await clock.sleep(options.intervalMs, signal)) {
    const isDue = clock.now() >= reconcileAtMs;
    if (isDue) reconcileAtMs = clock.now() + RECONCILE_EVERY_MS;
    const result = await runUnlessPaused({ ...parts, passes: isDue ? 'both' : 'incremental' });
    options.onPassEnded(result.faults);
    if (signal?.aborted) return result;
  }
}

/** What an operator paused, an operator resumes: until then a watching run waits. */
async function runUnlessPaused(parts: LocalRunPorts): Promise<RunSummary> {
  try {
    return await runUntilFresh(parts);
  } catch (error) {
    if (!(error instanceof FreshetError) || error.code !== OPERATOR_PAUSE) throw error;
    const names = new Set((await parts.spaces.list()).map(space => space.source.name));
    return {
      ...parts.tally.totals(),
      interrupted: parts.signal?.aborted ?? false,
      deadLetters: 0,
      orphansKept: [],
      faults: [...names].map(source => ({ source, code: error.code, message: error.message })),
    };
  }
}
