import { DATABASE_PAUSE, isProviderPause } from '../core/control.ts';
import { FreshetError } from '../core/errors.ts';
import { parseAnnounceMessage, parseDispatchMessage } from '../core/messages.ts';
import type { Space } from '../core/model.ts';
import { findPauseReasons } from '../pipeline/pauses.ts';
import type { ControlStore, PauseReason } from '../ports/control-store.ts';
import type { ObservedReason } from '../ports/process.ts';
import { createLookAhead, type LookAhead } from './look-ahead.ts';
import type { LocalRunLimits, LocalRunPorts, RunSummary } from './run-parts.ts';
import { createRecentProgress, type RecentProgress } from './run-tally.ts';
import { createWaitForOthers, type WaitForOthers } from './wait-for-others.ts';
import { createRunWorkers, createWakeSignal, type RunWorkers, type WakeSignal } from './workers.ts';

/**
 * Frees the rows of every message that is left, so that another run need not wait for their leases. What was only queued, or given up in the
 * middle, was no attempt; a result that stays unwritten is lost, and its rows are embedded again.
 */
async function abandonQueued(parts: LocalRunPorts): Promise<void> {
  const { queues, spaces, embedding, outcomes } = parts;
  const waiting = queues.dispatch.flatMap(({ queue }) => queue.remainingBodies()).map(parseDispatchMessage);
  for (const { spaceId, dispatchId, ids } of waiting) {
    const space = await spaces.find(spaceId);
    if (space) await embedding.postponeLeases(space, dispatchId, ids, 0);
  }
  for (const { spaceId, dispatchId, ids } of queues.results.remainingBodies().map(parseAnnounceMessage)) {
    const space = await spaces.find(spaceId);
    if (space && ids.length > 0) await outcomes.expireLeases(space, dispatchId, ids);
  }
}

/** Enough that detect looks seldom while a provider is slow, few enough that several runs find work side by side in a small table. */
const MIN_BATCHES_AHEAD = 24;
/** A run that works off more than this in a second looks more often than that. */
const MOST_TIMES_MIN = 4;
/** Of `maxInFlight`, which all runs share: another one finds room as well. */
const MOST_OF_IN_FLIGHT = 0.5;

/**
 * Batches that a run leases ahead of its workers: about as many as it works off in a second. Each look costs the database the same
 * however many rows it finds, and a run that finishes thousands of rows a second looks about once a second, which is as often as an edit needs.
 * `finishedRows` are those of the last second: the first look, and every look of a run that waits for its provider, takes the least.
 */
export function countBatchesAhead(
  { batchSize, concurrency, maxInFlight }: Pick<LocalRunLimits, 'batchSize' | 'concurrency' | 'maxInFlight'>,
  finishedRows: number,
): number {
  const least = Math.max(3 * concurrency, MIN_BATCHES_AHEAD);
  const most = Math.min(MOST_TIMES_MIN * least, Math.floor((MOST_OF_IN_FLIGHT * maxInFlight) / batchSize));
  return Math.max(least, Math.min(most, Math.ceil(finishedRows / batchSize)));
}

/**
 * Whoever starts a run asks for another try: reasons that failures set (a provider's, the database's) are cleared, and come back with the first
 * call if they still hold. What people and checks set stays. Resolves with what was cleared.
 */
async function clearStalePauses(control: ControlStore, spaces: readonly Space[]): Promise<PauseReason[]> {
  const cleared: PauseReason[] = [];
  for (const space of spaces) {
    for (const pause of await findPauseReasons(control, space)) {
      if (pause.reason !== DATABASE_PAUSE && !isProviderPause(pause.reason)) continue;
      await control.resume(pause.scope, pause.reason);
      cleared.push(pause);
    }
  }
  return cleared;
}

/** The batches in hand have this long once a run is told to stop: with what comes after it, five seconds in all. */
const GRACE_MS = 4_000;
/** Giving back waits for a lock no longer than this. */
const GIVE_BACK_MS = 500;

interface Run {
  readonly parts: LocalRunPorts;
  readonly lookAhead: LookAhead;
  readonly workers: RunWorkers;
  readonly wake: WakeSignal;
  /** A model that stops has another one in its place: the run goes on with that one, and then ends with the reason. */
  readonly hasFallback: boolean;
  detecting: boolean;
  /** What ended the look-ahead. */
  failure: unknown;
  progressAtMs: number;
  itemsDone: number;
  readonly recentProgress: RecentProgress;
  /** Waits for what others hold, once nothing else is left. */
  readonly others: WaitForOthers;
}

/**
 * Runs the three handlers on in-process queues until nothing is stale: the queues are empty and a whole reconcile pass, begun after the last
 * write, leased nothing (`passes` may leave that one out). Rejects with the reason (`FreshetError`) at once where waiting does not help, and after `maxWaitMs` without progress where it
 * does not help either. What others hold it waits for as long, and then resolves: who asks the database sees what is left.
 * Aborted, it resolves with `interrupted`.
 */
export async function runUntilFresh(parts: LocalRunPorts): Promise<RunSummary> {
  const spaces = await parts.spaces.list();
  if (parts.passes !== 'incremental') await clearStalePauses(parts.control, spaces);
  const run = createRun(
    parts,
    spaces.some(({ fallbackFor }) => fallbackFor !== undefined),
  );
  const interrupt = () => run.wake.notify();
  parts.queues.results.onSent(() => run.wake.notify());
  parts.signal?.addEventListener('abort', interrupt);
  try {
    await turnUntilDone(run);
  } finally {
    parts.signal?.removeEventListener('abort', interrupt);
    await endRun(run);
  }
  return {
    ...parts.tally.totals(),
    interrupted: parts.signal?.aborted ?? false,
    deadLetters: await countDeadLetters(parts),
    orphansKept: run.lookAhead.orphansKept(),
    faults: run.lookAhead.faults(),
  };
}

function createRun(parts: LocalRunPorts, hasFallback: boolean): Run {
  const wake = createWakeSignal(parts.clock);
  const { itemsDone } = parts.tally.totals();
  const noteMovement = () => {
    run.progressAtMs = parts.clock.now();
  };
  const lookAhead = createLookAhead(parts, noteMovement);
  const run: Run = {
    parts,
    wake,
    hasFallback,
    lookAhead,
    others: createWaitForOthers(parts, lookAhead, noteMovement),
    workers: createRunWorkers(parts, error => {
      run.failure ??= error;
      run.lookAhead.startOver();
      parts.onProgress?.(parts.tally.totals());
      wake.notify();
    }),
    detecting: false,
    failure: undefined,
    progressAtMs: parts.clock.now(),
    itemsDone,
    recentProgress: createRecentProgress(parts.clock, itemsDone),
  };
  return run;
}

async function turnUntilDone(run: Run): Promise<void> {
  const { clock, signal, tally } = run.parts;
  while (!signal?.aborted) {
    noteProgress(run);
    if (run.others.isWaiting() && isOutOfPatience(run)) return endWithStop(run);
    refuseStop(run);
    await run.workers.startWrite();
    await run.workers.startEmbeds();
    const queued = await countQueued(run.parts);
    const idle = isIdle(run, queued);
    const recheckAtMs = tally.recheckAtMs() ?? 0;
    if (idle && recheckAtMs > 0 && recheckAtMs <= clock.now()) {
      tally.forgetRecheck();
      run.lookAhead.startOver();
    }
    const hasEnded = idle && recheckAtMs <= clock.now() && hasNothingLeft(run);
    if (!hasEnded) run.others.pause();
    else if (!(await run.others.mustWait())) return endWithStop(run);
    startDetect(run, queued, idle);
    await run.wake.wait(findWaitMs(run));
  }
}

function endWithStop({ parts }: Run): void {
  const stop = parts.tally.stopReason();
  if (stop) throw toError(stop);
}

function hasNothingLeft({ parts, lookAhead }: Run): boolean {
  return (
    lookAhead.isComplete() || lookAhead.leasedRows() >= (parts.limits.maxItems ?? Number.POSITIVE_INFINITY)
  );
}

function isIdle(run: Run, queued: { readonly total: number }): boolean {
  return !run.detecting && !run.workers.isWriting() && run.workers.embedding() === 0 && queued.total === 0;
}

/** Looks ahead by about a second's work only, and again once the workers are about to take the last messages: what a run holds, no other can work on. */
function startDetect(run: Run, queued: { readonly waiting: number }, idle: boolean): void {
  const { parts, lookAhead } = run;
  const { batchSize, concurrency, maxItems } = parts.limits;
  const pointless = idle ? lookAhead.isComplete() : lookAhead.isExhausted();
  if (run.detecting || pointless || lookAhead.nextAtMs() > parts.clock.now()) return;
  if (queued.waiting > concurrency) return;
  const allowed = (maxItems ?? Number.POSITIVE_INFINITY) - lookAhead.leasedRows();
  const batchesAhead = countBatchesAhead(parts.limits, run.recentProgress.finishedRows());
  const maxRows = Math.min((batchesAhead - queued.waiting) * batchSize, allowed);
  if (maxRows <= 0) return;
  run.detecting = true;
  void lookAhead
    .round(maxRows, idle)
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
  const { itemsDone } = run.parts.tally.totals();
  if (itemsDone === run.itemsDone) return;
  run.itemsDone = itemsDone;
  run.others.noteOwnProgress();
  run.recentProgress.note(itemsDone);
  run.progressAtMs = run.parts.clock.now();
}

function refuseStop(run: Run): void {
  const { tally } = run.parts;
  if (run.failure !== undefined) throw run.failure;
  const stop = tally.stopReason();
  if (stop && !run.hasFallback) throw toError(stop);
  if (!isOutOfPatience(run)) return;
  throw toError(
    tally.lastReason() ?? {
      failureClass: 'transient',
      code: 'no_progress',
      message: 'Nothing was finished for too long.',
    },
  );
}

function isOutOfPatience({ parts, progressAtMs }: Run): boolean {
  return parts.clock.now() - progressAtMs >= parts.limits.maxWaitMs;
}

function toError({ message, ...details }: ObservedReason): FreshetError {
  return new FreshetError(message, details);
}

/** Until something happens by itself: a hidden message returns, given-back rows are due, results waited long enough, or patience ends. */
function findWaitMs({ parts, lookAhead, workers, progressAtMs, others }: Run): number {
  const { clock, limits, queues, tally } = parts;
  const now = clock.now();
  const moments = [
    ...queues.dispatch.map(({ queue }) => queue.nextVisibleAtMs()),
    queues.results.nextVisibleAtMs(),
    tally.recheckAtMs(),
    lookAhead.nextAtMs(),
    workers.nextWriteAtMs(),
    others.nextLookAtMs(),
    progressAtMs + limits.maxWaitMs,
  ].filter(moment => moment !== undefined && moment > now) as number[];
  return Math.min(now + limits.maxWaitMs, ...moments) - now;
}

/** What was bought is still written while the grace lasts; then everything left is free for another run. */
async function endRun(run: Run): Promise<void> {
  const { parts, workers, wake } = run;
  const endsAtMs = parts.clock.now() + GRACE_MS;
  workers.shorten(GRACE_MS);
  const isBusy = async () =>
    run.detecting ||
    workers.isWriting() ||
    workers.embedding() > 0 ||
    (await parts.queues.results.depth()).visible > 0;
  while (parts.clock.now() < endsAtMs && (await isBusy())) {
    await workers.startWrite();
    await wake.wait(endsAtMs - parts.clock.now());
  }
  try {
    await Promise.race([abandonQueued(parts), parts.clock.sleep(GIVE_BACK_MS)]);
  } catch {
    // The database is gone or refuses: the run's lock goes with the process, and with it every lease it holds.
  }
}

async function countDeadLetters({ queues }: LocalRunPorts): Promise<number> {
  let count = 0;
  for (const queue of queues.deadLetters) count += (await queue.depth()).visible;
  return count;
}
