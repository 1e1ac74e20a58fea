import { createControlStore } from '../adapters/sql/control/sql-control-store.ts';
import { createReportStore } from '../adapters/sql/report/sql-report-store.ts';
import type { RunLock } from '../adapters/sql/sql-database.ts';
import { countBuffersAsHeap } from '../adapters/system/count-buffers-as-heap.ts';
import { createSystemClock } from '../adapters/system/system-clock.ts';
import { FreshetError } from '../core/errors/freshet-error.ts';
import type { LocalRunParts, RunResult as LocalRunResult } from '../pipeline/local/local-run-parts.ts';
import { createRunTally, type RunTally, type RunTotals } from '../pipeline/local/run-tally.ts';
import { runUntilFresh } from '../pipeline/local/run-until-fresh.ts';
import { watchSources } from '../pipeline/local/watch-sources.ts';
import { readCoverages, readLedgers } from '../pipeline/operate/requests.ts';
import type { PauseReason } from '../ports/control-store.ts';
import type { Coverage } from '../ports/report-store.ts';
import type { ObservedReason } from '../ports/run-observer.ts';
import { describeFailedRow } from './describe-failed-row.ts';
import { describeFaults, describeKeptOrphans, describeStop } from './describe-run-end.ts';
import { listenForOperator } from './listen-for-operator.ts';
import { openLocalParts } from './local-parts.ts';
import { openSpaceList } from './local-requests.ts';
import type { LineFile } from './open-line-file.ts';
import type { Workspace } from './open-workspace.ts';
import { prepareDatabase } from './prepare-database.ts';
import { refuseChangedModels } from './refuse-changed-models.ts';

interface RunOptions {
  readonly signal: AbortSignal;
  readonly maxWaitMs: number;
  /** Undefined: all. */
  readonly maxItems: number | undefined;
  /** Between two looks once nothing is stale; undefined: the run ends then. */
  readonly watchIntervalMs?: number | undefined;
  /** Gets a JSON line per row that fails. */
  readonly failureLog: LineFile | undefined;
  readonly onPrepared: (state: {
    readonly before: readonly Coverage[];
    /** Reasons that this run lifts. */
    readonly resumed: readonly PauseReason[];
  }) => void;
  readonly onProgress: (totals: RunTotals) => void;
  /** Rows must wait, or a message comes again; told once for each reason. */
  readonly onWaiting: (reason: ObservedReason) => void;
  /** Heard `freshet stop`: the batch in hand still ends. */
  readonly onStopRequested?: () => void;
}

/** What `run --json` prints. Counts after `spaces` are those of this run. */
export interface RunResult extends Omit<RunTotals, 'itemsDone'> {
  readonly spaces: readonly Coverage[];
  readonly lastUpdate: string | null;
}

export interface RunEnd {
  readonly result: RunResult;
  /** Why the run ended before its end. */
  readonly stoppedBy?: StopReason;
  /** Another process asked the run to stop: `freshet stop`. */
  readonly stopRequested: boolean;
  /** What somebody should look at although the run went through. */
  readonly notices: readonly string[];
}

interface StopReason {
  readonly message: string;
  readonly code: string;
}

/** Prepares the database and runs the real handlers until nothing is stale, or until something stops them: then the result says so. */
export async function runLocally(workspace: Workspace, options: RunOptions): Promise<RunEnd> {
  countBuffersAsHeap();
  await prepareDatabase(workspace);
  const spaces = await openSpaceList(workspace);
  const reports = createReportStore(workspace.database);
  const reasons = await createControlStore(workspace.database).reasons();
  const before = await readCoverages(reports, spaces);
  await refuseChangedModels(workspace, before);
  options.onPrepared({
    before,
    resumed: reasons.filter(({ reason }) => reason === 'database' || reason.startsWith('provider:')),
  });
  const clock = createSystemClock();
  const tally = tellReasons(
    createRunTally(clock, row => options.failureLog?.write(describeFailedRow(row, clock.now()))),
    options.onWaiting,
  );
  const lock = await workspace.database.beginRun();
  const notices: string[] = [];
  const operator = await listenForOperator(workspace, lock.runId);
  const signal = AbortSignal.any([options.signal, operator.stopped]);
  operator.stopped.addEventListener('abort', () => options.onStopRequested?.());
  const request = { ...options, signal, tally, runId: lock.runId };
  const stoppedBy = await runUnderLock(workspace, request, lock, notices).finally(operator.close);
  const totals = tally.totals();
  const after = await readCoverages(reports, spaces);
  const { lastUpdate } = await readLedgers(reports, spaces);
  const result: RunResult = {
    spaces: after,
    embedded: totals.embedded,
    copied: totals.copied,
    touched: totals.touched,
    excluded: totals.excluded,
    failed: totals.failed,
    tokens: totals.tokens,
    costUsd: totals.costUsd,
    providerCalls: totals.providerCalls,
    lastUpdate,
    averageMsPerItem: totals.averageMsPerItem,
    errorRate: totals.errorRate,
    durationMs: totals.durationMs,
  };
  const stopRequested = operator.stopped.aborted;
  return stoppedBy === undefined
    ? { result, notices, stopRequested }
    : { result, notices, stopRequested, stoppedBy };
}

function tellReasons(tally: RunTally, onWaiting: RunOptions['onWaiting']): RunTally {
  const told = new Set<string>();
  const tell = (reason: ObservedReason) => {
    if (told.has(reason.code)) return;
    told.add(reason.code);
    onWaiting(reason);
  };
  return {
    ...tally,
    postponed(rows, afterSeconds, reason) {
      tally.postponed(rows, afterSeconds, reason);
      tell(reason);
    },
    recordFailed(reason) {
      tally.recordFailed(reason);
      tell(reason);
    },
  };
}

async function runUnderLock(
  workspace: Workspace,
  request: Parameters<typeof openLocalParts>[1] & Pick<RunOptions, 'watchIntervalMs' | 'onWaiting'>,
  lock: RunLock,
  notices: string[],
): Promise<StopReason | undefined> {
  const lost = new AbortController();
  void lock.lost.then(() => lost.abort());
  const signal = AbortSignal.any([request.signal, lost.signal]);
  const { parts, close } = await openLocalParts(workspace, { ...request, signal });
  try {
    const end = await runOrWatch(parts, request);
    notices.push(...describeKeptOrphans(end));
    if (lost.signal.aborted)
      return { message: 'The connection that held the run was lost.', code: 'run_lock_lost' };
    const [fault] = end.faults;
    if (fault !== undefined) return { message: describeFaults(end.faults), code: fault.code };
    if (end.deadLetters > 0)
      return {
        message: `${end.deadLetters} messages could not be worked on; .freshet/log.jsonl says why.`,
        code: 'dead_letters',
      };
    return undefined;
  } catch (error) {
    if (error instanceof FreshetError) return { message: describeStop(error, workspace), code: error.code };
    throw error;
  } finally {
    close();
    await lock.end().catch(() => undefined);
  }
}

function runOrWatch(
  parts: LocalRunParts,
  { watchIntervalMs, onWaiting }: Pick<RunOptions, 'watchIntervalMs' | 'onWaiting'>,
): Promise<LocalRunResult> {
  if (watchIntervalMs === undefined) return runUntilFresh(parts);
  const told = new Set<string>();
  const onPassEnded = (faults: LocalRunResult['faults']) => {
    for (const fault of faults) {
      const { source, code } = fault;
      if (told.has(`${source} ${code}`)) continue;
      told.add(`${source} ${code}`);
      onWaiting({ failureClass: 'stop', code, message: describeFaults([fault]) });
    }
  };
  return watchSources(parts, { intervalMs: watchIntervalMs, onPassEnded });
}
