import { createControlStore } from '../adapters/sql/control/sql-control-store.ts';
import { createReportStore } from '../adapters/sql/report/sql-report-store.ts';
import type { RunLock } from '../adapters/sql/sql-database.ts';
import { countBuffersAsHeap } from '../adapters/system/count-buffers-as-heap.ts';
import { createSystemClock } from '../adapters/system/system-clock.ts';
import { UsageError } from '../core/errors/usage-error.ts';
import type { Space } from '../core/model/space.ts';
import {
  decideRunEnd,
  describeFaults,
  describeHeld,
  type HeldRows,
  type RunEnding,
  type RunEndKind,
  type SeenOfRun,
} from '../core/run-end.ts';
import { describeFailure } from '../pipeline/describe-failure.ts';
import type { LocalRunParts, RunResult as LocalRunResult } from '../pipeline/local/local-run-parts.ts';
import { createRunTally, type RunTally, type RunTotals } from '../pipeline/local/run-tally.ts';
import { runUntilFresh } from '../pipeline/local/run-until-fresh.ts';
import { watchSources } from '../pipeline/local/watch-sources.ts';
import { readCoverages, readLedgers } from '../pipeline/operate/requests.ts';
import type { PauseReason } from '../ports/control-store.ts';
import type { Coverage, ReportStore } from '../ports/report-store.ts';
import type { ObservedReason } from '../ports/run-observer.ts';
import { describeFailedRow } from './describe-failed-row.ts';
import { describeKeptOrphans, describeStop } from './describe-run-end.ts';
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
  readonly end: RunEndKind;
  readonly spaces: readonly Coverage[];
  readonly lastUpdate: string | null;
}

export interface RunEnd {
  readonly result: RunResult;
  /** How it ended, with its exit code. */
  readonly ending: RunEnding;
  /** What somebody should look at although the run went through. */
  readonly notices: readonly string[];
}

/** Looks at a table that is edited while the run ends. After the last one, what is stale is told. */
const MAX_LOOKS = 3;

/**
 * Prepares the database and runs the real handlers until nothing is stale, or until something stops them: then `ending` says so. A row that was
 * edited between the last pass and the coverage is no end: the run looks again.
 */
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
  const look = () => runOnce(workspace, { ...options, tally }, spaces, reports);
  let looked = await look();
  for (let looks = 1; looks < MAX_LOOKS && isWorthAnotherLook(looked.ending, options); looks += 1) {
    looked = await look();
  }
  const { ending, notices, coverages } = looked;
  const totals = tally.totals();
  const { lastUpdate } = await readLedgers(reports, spaces);
  const result: RunResult = {
    end: ending.kind,
    spaces: coverages,
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
  return { result, notices, ending };
}

function isWorthAnotherLook({ kind }: RunEnding, options: RunOptions): boolean {
  return kind === 'rows-left' && options.maxItems === undefined && options.watchIntervalMs === undefined;
}

/** One run under a lock of its own, and how things stand once its leases are nobody's. */
async function runOnce(
  workspace: Workspace,
  options: RunOptions & { readonly tally: RunTally },
  spaces: readonly Space[],
  reports: ReportStore,
): Promise<{ ending: RunEnding; notices: string[]; coverages: Coverage[] }> {
  const lock = await workspace.database.beginRun();
  const operator = await listenForOperator(workspace, lock.runId);
  const signal = AbortSignal.any([options.signal, operator.stopped]);
  operator.stopped.addEventListener('abort', () => options.onStopRequested?.());
  const request = { ...options, signal, runId: lock.runId };
  const held = (spaceIds: readonly number[]) =>
    countHeldElsewhere(
      reports,
      spaces.filter(({ spaceId }) => spaceIds.includes(spaceId)),
      lock.runId,
    );
  const seen = await runUnderLock(workspace, request, lock, held).finally(operator.close);
  const coverages = await readCoverages(reports, spaces);
  // A fallback is filled only while it stands in for another model: its rows may be stale for ever.
  const needed = spaces.filter(({ fallbackFor }) => fallbackFor === undefined);
  const found = needed.map(space => ({ space, coverage: coverages.find(isOf(space)) }));
  const ending = decideRunEnd({
    ...seen,
    interruptedBy: options.signal.aborted ? 'signal' : operator.stopped.aborted ? 'operator' : undefined,
    spaces: found.flatMap(({ coverage }) => coverage ?? []),
    unreadSources: found.filter(({ coverage }) => !coverage).map(({ space }) => space.source.name),
    heldElsewhere: await held(
      found.filter(({ coverage }) => coverage?.inFlight).map(one => one.space.spaceId),
    ),
    maxItems: options.maxItems,
  });
  return { ending, notices: seen.notices, coverages };
}

const isOf = (space: Space) => (coverage: Coverage) =>
  coverage.source === space.source.name && coverage.model === space.model.alias;

async function countHeldElsewhere(
  reports: ReportStore,
  spaces: readonly Space[],
  runId: number,
): Promise<HeldRows> {
  let held: HeldRows = { byRuns: 0, byPipeline: 0 };
  for (const space of spaces) {
    const { byRuns, byPipeline } = await reports.countHeldElsewhere(space, runId);
    held = { byRuns: held.byRuns + byRuns, byPipeline: held.byPipeline + byPipeline };
  }
  return held;
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

type SeenUnderLock = Pick<SeenOfRun, 'error' | 'lockLost' | 'faults' | 'deadLetters'> & {
  readonly notices: string[];
};

async function runUnderLock(
  workspace: Workspace,
  request: Parameters<typeof openLocalParts>[1] & Pick<RunOptions, 'watchIntervalMs' | 'onWaiting'>,
  lock: RunLock,
  countHeldElsewhere: NonNullable<LocalRunParts['countHeldElsewhere']>,
): Promise<SeenUnderLock> {
  const lost = new AbortController();
  void lock.lost.then(() => lost.abort());
  const signal = AbortSignal.any([request.signal, lost.signal]);
  const { parts, close } = await openLocalParts(workspace, { ...request, signal });
  try {
    const { faults, deadLetters, orphansKept } = await runOrWatch({ ...parts, countHeldElsewhere }, request);
    const notices = describeKeptOrphans(orphansKept);
    return { notices, faults, deadLetters, lockLost: lost.signal.aborted };
  } catch (error) {
    if (error instanceof UsageError) throw error;
    const { code, message } = describeFailure(error);
    const stop = { code, message: describeStop({ code, message }, workspace) };
    return { error: stop, notices: [], faults: [], deadLetters: 0, lockLost: lost.signal.aborted };
  } finally {
    close();
    await lock.end().catch(() => undefined);
  }
}

function runOrWatch(
  parts: LocalRunParts,
  { watchIntervalMs, onWaiting }: Pick<RunOptions, 'watchIntervalMs' | 'onWaiting'>,
): Promise<LocalRunResult> {
  if (watchIntervalMs === undefined) {
    const onHeldElsewhere = (held: HeldRows) =>
      onWaiting({
        failureClass: 'transient',
        code: 'held_elsewhere',
        message: `${describeHeld(held.byRuns + held.byPipeline, held)}.`,
      });
    return runUntilFresh({ ...parts, onHeldElsewhere });
  }
  const told = new Set<string>();
  const onPassEnded = (faults: LocalRunResult['faults']) => {
    for (const fault of faults) {
      const { source, code } = fault;
      if (told.has(`${source} ${code}`)) continue;
      told.add(`${source} ${code}`);
      onWaiting({ failureClass: 'stop', code, message: describeFaults([fault]) });
    }
  };
  // Whoever watches looks again anyway.
  return watchSources(
    { ...parts, countHeldElsewhere: undefined },
    { intervalMs: watchIntervalMs, onPassEnded },
  );
}
