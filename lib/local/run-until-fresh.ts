import { BUDGET_PAUSE, DATABASE_PAUSE, isProviderPause } from '../core/control.ts';
import { FreshetError } from '../core/errors.ts';
import type { Space } from '../core/model.ts';
import { findPauseReasons } from '../pipeline/pauses.ts';
import type { ControlStore, PauseReason } from '../ports/control-store.ts';
import type { ObservedReason } from '../ports/process.ts';
import { countBatchesAhead } from './batches-ahead.ts';
import { endRun } from './end-run.ts';
import { createLookAhead, type LookAhead } from './look-ahead.ts';
import type { LocalRunPorts, RunSummary } from './run-ports.ts';
import { createRecentProgress, type RecentProgress } from './run-tally.ts';
import { createWaitForOthers, type WaitForOthers } from './wait-for-others.ts';
import { createRunWorkers, createWakeSignal, type RunWorkers, type WakeSignal } from './workers.ts';

/** A run with its parts and with what its loop remembers. */
interface Run {
  readonly ports: LocalRunPorts;
  readonly lookAhead: LookAhead;
  readonly workers: RunWorkers;
  readonly wake: WakeSignal;
  /**
   * Whether a model that stops has another one in its place.
   * The run then goes on with the other model, and rejects with the reason at its end.
   */
  readonly hasFallback: boolean;
  detecting: boolean;
  /** What a round of looking ahead, or a worker, threw. */
  failure: unknown;
  /** When something last moved; patience is counted from then. */
  progressAtMs: number;
  itemsDone: number;
  readonly recentProgress: RecentProgress;
  /** Waits for rows that others hold, once nothing else is left. */
  readonly others: WaitForOthers;
}

/**
 * Runs the three handlers on in-process queues until nothing is stale.
 * Nothing is stale when the queues are empty and a whole reconcile pass, begun after the last
 * write, leased nothing. `passes` may leave the reconcile pass out. The run waits `maxWaitMs` for
 * rows that others hold, and then resolves: the database shows what is left. After an abort of the
 * signal the run resolves with `interrupted`.
 * @throws FreshetError with the reason, at once or after `maxWaitMs` without progress.
 */
export async function runUntilFresh(ports: LocalRunPorts): Promise<RunSummary> {
  const spaces = await ports.spaces.list();
  if (ports.passes !== 'incremental') await clearStalePauses(ports.control, spaces);
  const hasFallback = spaces.some(({ fallbackFor }) => fallbackFor !== undefined);
  const run = createRun(ports, hasFallback);
  const interrupt = () => run.wake.notify();
  ports.queues.results.onSent(() => run.wake.notify());
  ports.signal?.addEventListener('abort', interrupt);
  try {
    await ports.lookAtBatches?.(false);
    await turnUntilDone(run);
  } finally {
    ports.signal?.removeEventListener('abort', interrupt);
    await endRun({ ...run, isDetecting: () => run.detecting });
    ports.onEnded?.(run.lookAhead.noticed());
  }
  return {
    ...{ ...ports.tally.totals(), interrupted: ports.signal?.aborted ?? false },
    ...{ deadLetters: await countDeadLetters(ports), faults: run.lookAhead.faults() },
    ...run.lookAhead.noticed(),
  };
}

function createRun(ports: LocalRunPorts, hasFallback: boolean): Run {
  const wake = createWakeSignal(ports.clock);
  const { itemsDone } = ports.tally.totals();
  const noteMovement = () => {
    run.progressAtMs = ports.clock.now();
  };
  const lookAhead = createLookAhead(ports, noteMovement);
  const run: Run = {
    ports,
    wake,
    hasFallback,
    lookAhead,
    others: createWaitForOthers(ports, lookAhead, noteMovement),
    workers: createRunWorkers(ports, error => {
      run.failure ??= error;
      run.lookAhead.startOver();
      ports.onProgress?.(ports.tally.totals());
      wake.notify();
    }),
    detecting: false,
    failure: undefined,
    progressAtMs: ports.clock.now(),
    itemsDone,
    recentProgress: createRecentProgress(ports.clock, itemsDone),
  };
  return run;
}

/**
 * Whether a run lifts this pause reason when it begins: one that a failure set.
 * A person who starts a run asks for another try. What people and checks set stays.
 */
export function isLiftedByRun({ reason }: PauseReason): boolean {
  return reason === DATABASE_PAUSE || isProviderPause(reason);
}

/** Clears the reasons that failures set; those that still hold come back with the first call. */
async function clearStalePauses(control: ControlStore, spaces: readonly Space[]): Promise<void> {
  for (const space of spaces) {
    const lifted = (await findPauseReasons(control, space)).filter(isLiftedByRun);
    for (const { scope, reason } of lifted) await control.resume(scope, reason);
  }
}

async function turnUntilDone(run: Run): Promise<void> {
  const { clock, signal, tally } = run.ports;
  while (!signal?.aborted) {
    noteProgress(run);
    if (run.failure !== undefined) throw run.failure;
    if (run.others.isWaiting() && isOutOfPatience(run)) return throwStopReason(run);
    requireProgress(run);
    await run.workers.startWrite();
    await run.workers.startEmbeds();
    const queued = await countQueued(run.ports);
    const idle = isIdle(run, queued);
    const recheckAtMs = tally.recheckAtMs() ?? 0;
    if (idle && recheckAtMs > 0 && recheckAtMs <= clock.now()) {
      tally.forgetRecheck();
      run.lookAhead.startOver();
    }
    const hasEnded = idle && recheckAtMs <= clock.now() && hasNothingLeft(run);
    if (!hasEnded) run.others.pause();
    else if (!(await run.others.mustWait())) {
      // What was collected is submitted now; no run waits for the hours until it comes.
      if (!(await run.ports.lookAtBatches?.(true))) return throwStopReason(run);
      run.lookAhead.startOver();
    }
    startDetect(run, queued, idle);
    await run.wake.wait(findWaitMs(run));
  }
}

/** Rejects a run that came to its end although one of its models had to stop. */
function throwStopReason({ ports }: Run): void {
  const stop = ports.tally.stopReason();
  if (stop) throw toError(stop);
}

function hasNothingLeft({ ports, lookAhead }: Run): boolean {
  return (
    lookAhead.isComplete() || lookAhead.leasedRows() >= (ports.limits.maxItems ?? Number.POSITIVE_INFINITY)
  );
}

function isIdle(run: Run, queued: { readonly total: number }): boolean {
  return !run.detecting && !run.workers.isWriting() && run.workers.embedding() === 0 && queued.total === 0;
}

/**
 * Begins a round of looking ahead; while the workers have messages enough, for edits alone.
 * A round leases a few seconds' work, because no other run can work on leased rows. A lease of many
 * rows comes as eight messages: the next round waits until fewer are left than there are workers.
 */
function startDetect(run: Run, queued: { readonly waiting: number }, idle: boolean): void {
  const { ports, lookAhead } = run;
  const { batchSize, concurrency, maxItems } = ports.limits;
  const pointless = idle ? lookAhead.isComplete() : lookAhead.isExhausted();
  const isBusy = queued.waiting >= concurrency || pointless;
  const nextAtMs = isBusy ? lookAhead.nextEditsAtMs() : 0;
  // What no worker has at hand is held back: edits could not go first.
  if (isBusy && run.workers.embedding() === 0) return;
  if (run.detecting || Math.max(lookAhead.nextAtMs(), nextAtMs) > ports.clock.now()) return;
  const allowed = (maxItems ?? Number.POSITIVE_INFINITY) - lookAhead.leasedRows();
  const batchesAhead = countBatchesAhead(ports.limits, run.recentProgress.finishedRows());
  const maxRows = Math.min(isBusy ? batchSize : (batchesAhead - queued.waiting) * batchSize, allowed);
  if (maxRows <= 0) return;
  run.detecting = true;
  const look = isBusy ? lookAhead.lookForEdits(maxRows) : lookAhead.round(maxRows, idle);
  void look
    .catch(error => {
      run.failure = error;
    })
    .finally(() => {
      run.detecting = false;
      run.wake.notify();
    });
}

async function countQueued({ queues }: LocalRunPorts): Promise<{ waiting: number; total: number }> {
  let waiting = 0;
  const results = await queues.results.depth();
  let total = results.visible + results.inFlight + results.delayed;
  for (const { queue } of queues.dispatch) {
    const { visible, inFlight, delayed } = await queue.depth();
    waiting += visible + delayed;
    total += visible + delayed + inFlight;
  }
  return { waiting, total };
}

function noteProgress(run: Run): void {
  const { itemsDone } = run.ports.tally.totals();
  if (itemsDone === run.itemsDone) return;
  run.itemsDone = itemsDone;
  run.others.noteOwnProgress();
  run.recentProgress.note(itemsDone);
  run.progressAtMs = run.ports.clock.now();
}

/** Throws the reason why a run must end now: a model that stops, or no progress. */
function requireProgress(run: Run): void {
  const { tally } = run.ports;
  const stop = tally.stopReason();
  if (stop && (!run.hasFallback || stop.code === BUDGET_PAUSE)) throw toError(stop);
  if (!isOutOfPatience(run)) return;
  throw toError(
    tally.lastReason() ?? {
      failureClass: 'transient',
      code: 'no_progress',
      message: 'Nothing was finished for too long.',
    },
  );
}

function isOutOfPatience({ ports, progressAtMs }: Run): boolean {
  return ports.clock.now() - progressAtMs >= ports.limits.maxWaitMs;
}

function toError({ message, ...details }: ObservedReason): FreshetError {
  return new FreshetError(message, details);
}

/**
 * Finds how many milliseconds nothing happens by itself.
 * What happens by itself: a hidden message returns, given-back rows are due, results waited long
 * enough, or patience ends.
 */
function findWaitMs({ ports, lookAhead, workers, progressAtMs, others }: Run): number {
  const { clock, limits, queues, tally } = ports;
  const now = clock.now();
  const moments = [
    ...queues.dispatch.map(({ queue }) => queue.nextVisibleAtMs()),
    queues.results.nextVisibleAtMs(),
    tally.recheckAtMs(),
    lookAhead.nextAtMs(),
    workers.embedding() > 0 ? lookAhead.nextEditsAtMs() : undefined,
    workers.nextWriteAtMs(),
    others.nextLookAtMs(),
    progressAtMs + limits.maxWaitMs,
  ].filter(moment => moment !== undefined && moment > now) as number[];
  return Math.min(now + limits.maxWaitMs, ...moments) - now;
}

async function countDeadLetters({ queues }: LocalRunPorts): Promise<number> {
  let count = 0;
  for (const queue of queues.deadLetters) count += (await queue.depth()).visible;
  return count;
}
