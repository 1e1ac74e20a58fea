import { createControlStore } from '../adapters/sql/control-store.ts';
import type { RunLock } from '../adapters/sql/database.ts';
import type { ReplacedSpace } from '../adapters/sql/replaced-spaces.ts';
import { createReportStore } from '../adapters/sql/report-store.ts';
import { boundYoungHeap, countBuffersAsHeap, createSystemClock } from '../adapters/system.ts';
import { formatPath } from '../core/config/describe-issues.ts';
import { usedAliases } from '../core/config/pipeline-config.ts';
import { UsageError } from '../core/errors.ts';
import type { Space } from '../core/model.ts';
import {
  decideRunEnd,
  describeHeld,
  type HeldRows,
  type ObservedRun,
  type RunEnding,
  type RunEndKind,
  type RunError,
} from '../core/run-end.ts';
import { wordEnd } from '../core/word-end.ts';
import { describeFailure } from '../pipeline/failures.ts';
import { findLastUpdate, readCoverages } from '../pipeline/operate/requests.ts';
import type { PauseReason } from '../ports/control-store.ts';
import type { ObservedReason } from '../ports/process.ts';
import type { Coverage, ReportStore } from '../ports/report-store.ts';
import { listenForOperator } from '../wiring/listen-for-operator.ts';
import { refuseChangedModels } from '../wiring/models.ts';
import { prepareDatabase } from '../wiring/prepare.ts';
import type { Workspace } from '../wiring/workspace.ts';
import { announceReasons } from './announce-reasons.ts';
import { type CountBeforehand, countBeforehand } from './count-beforehand.ts';
import { describeNotices } from './describe-notices.ts';
import { describeFailedRow, type LineFile } from './failure-log.ts';
import { openLocalRun } from './open-local-run.ts';
import type { LocalRunPorts, NoticedRows, RunSummary } from './run-ports.ts';
import { createRunTally, type RunTally, type RunTotals } from './run-tally.ts';
import { isLiftedByRun, runUntilFresh } from './run-until-fresh.ts';
import { watchSources } from './watch-sources.ts';

/** What a run is started with, and what it reports while it works. */
interface RunOptions {
  readonly signal: AbortSignal;
  /** Longest time without progress while work remains. */
  readonly maxWaitMs: number;
  /** Rows that the run may take up; undefined: all. */
  readonly maxItems: number | undefined;
  /** US dollars that the run may spend; undefined: no more than the budget allows. */
  readonly maxUsd?: number | undefined;
  /** Milliseconds between two looks once nothing is stale; undefined: the run ends then. */
  readonly watchIntervalMs?: number | undefined;
  /** Given a JSON line for each row that fails. */
  readonly failureLog: LineFile | undefined;
  /** Called once the rows are counted, for which a run on a large table does not wait. */
  readonly onCounted: (before: readonly Coverage[]) => void;
  /** Called before anything is bought; the run waits for it. */
  readonly onPrepared: (state: {
    /** Pause reasons that this run lifts. */
    readonly resumed: readonly PauseReason[];
    /** The spaces that the run works on. */
    readonly spaces: readonly Space[];
  }) => void | Promise<void>;
  readonly onProgress: (totals: RunTotals) => void;
  /** Called once for each reason why rows must wait or a message comes again. */
  readonly onWaiting: (reason: ObservedReason) => void;
  /** Called for each source whose searches find less, because its model or recipe is new. */
  readonly onReplaced?: (replaced: ReplacedSpace) => void;
  /** Called at `freshet stop`. The batch in hand still ends. */
  readonly onStopRequested?: () => void;
}

/** What `run --json` prints: the counts of this run, and the spaces as they are after it. */
export interface RunResult extends Omit<RunTotals, 'itemsDone'> {
  readonly end: RunEndKind;
  readonly spaces: readonly Coverage[];
  readonly lastUpdate: string | null;
}

/** What a run did, and how it ended. */
export interface RunEnd {
  readonly result: RunResult;
  /** The kind of end, with the exit code and sentences for people. */
  readonly ending: RunEnding;
  /** Sentences on what a person should look at, although the run came to its end. */
  readonly notices: readonly string[];
}

/**
 * How often a run looks at most at a table that is edited while the run ends.
 * After the last look, the rows that are stale are reported.
 */
const MAX_LOOKS = 3;

/**
 * Prepares the database, then runs the real handlers until nothing is stale or it must stop.
 * `ending` says what stopped the run. A row that was edited between the last pass and the coverage
 * is no end: the run looks again, up to three times.
 * @throws UsageError where the database cannot be prepared or a model gives other vectors.
 */
export async function runLocally(workspace: Workspace, options: RunOptions): Promise<RunEnd> {
  const { spaces } = await prepareDatabase(workspace, { onReplaced: options.onReplaced });
  const reports = createReportStore(workspace.database);
  const reasons = await createControlStore(workspace.database).reasons();
  const clock = createSystemClock();
  const before = await countBeforehand({ reports, spaces, clock, onCounted: options.onCounted });
  await refuseChangedModels(workspace, spaces, before.read);
  await options.onPrepared({ resumed: reasons.filter(isLiftedByRun), spaces });
  const tally = createRunTally(clock, row => options.failureLog?.write(describeFailedRow(row, clock.now())));
  const announced = new Set<string>();
  const onProgress = settleThenReport(options.onProgress);
  const request = { ...options, onProgress, tally, before, announced };
  const look = () => runOnce(workspace, request, spaces, reports);
  let looked = await look();
  for (let looks = 1; looks < MAX_LOOKS && isWorthAnotherLook(looked.ending, options); looks += 1) {
    looked = await look();
  }
  before.close();
  const { ending, notices, coverages } = looked;
  const totals = tally.totals();
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
    lastUpdate: findLastUpdate(coverages),
    averageMsPerItem: totals.averageMsPerItem,
    errorRate: totals.errorRate,
    durationMs: totals.durationMs,
  };
  return { result, notices, ending };
}

/**
 * Counts buffers with the heap once the first invocation is over, bounds the room for new objects
 * once it is large enough, and reports the progress.
 * By then the modules of a run are loaded. Node refuses the code that it has compiled already, of
 * its own modules too, once a flag of V8 has changed, and compiles them anew.
 */
function settleThenReport(onProgress: RunOptions['onProgress']): RunOptions['onProgress'] {
  let isCounted = false;
  let isBounded = false;
  return totals => {
    if (!isCounted) countBuffersAsHeap();
    isCounted = true;
    if (!isBounded) isBounded = boundYoungHeap();
    onProgress(totals);
  };
}

function isWorthAnotherLook({ kind }: RunEnding, options: RunOptions): boolean {
  return kind === 'rows-left' && options.maxItems === undefined && options.watchIntervalMs === undefined;
}

/** Runs once under a lock of its own, then reads how things stand without its leases. */
async function runOnce(
  workspace: Workspace,
  options: RunOptions & {
    readonly tally: RunTally;
    readonly before: CountBeforehand;
    readonly announced: Set<string>;
  },
  spaces: readonly Space[],
  reports: ReportStore,
): Promise<{ ending: RunEnding; notices: string[]; coverages: readonly Coverage[] }> {
  const lock = await workspace.database.beginRun();
  const operator = await listenForOperator(workspace, lock.runId);
  const signal = AbortSignal.any([options.signal, operator.stopped]);
  operator.stopped.addEventListener('abort', () => options.onStopRequested?.());
  const { nextNudge } = operator;
  const tally = announceReasons(options.tally, { onWaiting: options.onWaiting, signal }, options.announced);
  const request = { ...options, tally, spaces, signal, runId: lock.runId, nextNudge };
  const held = (spaceIds: readonly number[]) =>
    countHeldElsewhere(
      reports,
      spaces.filter(({ spaceId }) => spaceIds.includes(spaceId)),
      lock.runId,
    );
  const seen = await runUnderLock(workspace, request, lock, held).finally(operator.close);
  const isIdle = !signal.aborted && !seen.error && !seen.lockLost && options.watchIntervalMs === undefined;
  const unmoved =
    isIdle && options.tally.totals().itemsDone === 0 ? await options.before.ifFresh() : undefined;
  const coverages = unmoved ?? (await readCoverages(reports, spaces));
  // The rows of a fallback may be stale for ever: it is filled only while it stands in.
  const needed = spaces.filter(({ fallbackFor }) => fallbackFor === undefined);
  const found = needed.map(space => ({ space, coverage: coverages.find(isOf(space)) }));
  const ending = decideRunEnd({
    ...seen,
    interruptedBy: options.signal.aborted ? 'signal' : operator.stopped.aborted ? 'operator' : undefined,
    spaces: found.flatMap(({ coverage }) => coverage ?? []),
    unreadSources: found.filter(({ coverage }) => !coverage).map(({ space }) => space.source.name),
    heldElsewhere: await held(found.flatMap(({ space, coverage }) => (coverage ? space.spaceId : []))),
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
  let held = { byRuns: 0, byPipeline: 0, byBatches: 0 };
  for (const space of spaces) {
    const { byRuns, byPipeline, byBatches = 0 } = await reports.countHeldElsewhere(space, runId);
    held = {
      byRuns: held.byRuns + byRuns,
      byPipeline: held.byPipeline + byPipeline,
      byBatches: held.byBatches + byBatches,
    };
  }
  return held;
}

type SeenUnderLock = Pick<ObservedRun, 'error' | 'lockLost' | 'faults' | 'deadLetters'> & {
  readonly notices: string[];
};

type WatchOptions = Pick<RunOptions, 'watchIntervalMs' | 'onWaiting'> & {
  readonly nextNudge: () => AbortSignal;
};

/** Runs while the run's lock is held; what the run rejects with is part of the answer. */
async function runUnderLock(
  workspace: Workspace,
  request: Parameters<typeof openLocalRun>[1] & WatchOptions,
  lock: RunLock,
  countHeldElsewhere: NonNullable<LocalRunPorts['countHeldElsewhere']>,
): Promise<SeenUnderLock> {
  const lost = new AbortController();
  void lock.lost.then(() => lost.abort());
  const signal = AbortSignal.any([request.signal, lost.signal]);
  const { ports, close } = await openLocalRun(workspace, { ...request, signal });
  let noticed: NoticedRows = { orphansKept: [], skipped: [] };
  const describe = () => describeNotices({ ...noticed, limitedModels: ports.tally.limitedModels() });
  const onEnded = (seen: NoticedRows) => {
    noticed = seen;
  };
  try {
    const run = await runOrWatch({ ...ports, countHeldElsewhere, onEnded }, request);
    const { faults, deadLetters } = run;
    return { notices: describe(), faults, deadLetters, lockLost: lost.signal.aborted };
  } catch (error) {
    if (error instanceof UsageError) throw error;
    const { code, message } = describeFailure(error);
    const stop = { code, message: describeStop({ code, message }, workspace) };
    return { error: stop, notices: describe(), faults: [], deadLetters: 0, lockLost: lost.signal.aborted };
  } finally {
    await close();
    await lock.end().catch(() => undefined);
  }
}

function runOrWatch(
  ports: LocalRunPorts,
  { watchIntervalMs, onWaiting, nextNudge }: WatchOptions,
): Promise<RunSummary> {
  if (watchIntervalMs === undefined) {
    const onHeldElsewhere = (held: HeldRows) =>
      onWaiting({
        failureClass: 'transient',
        code: 'held_elsewhere',
        message: `${describeHeld(held.byRuns + held.byPipeline, held)}.`,
      });
    return runUntilFresh({ ...ports, onHeldElsewhere });
  }
  // A watching run looks again in any case, and need not wait for others.
  return watchSources(
    { ...ports, countHeldElsewhere: undefined },
    { intervalMs: watchIntervalMs, onFault: onWaiting, nextNudge },
  );
}

/** Describes why a run stopped, with the line of the configuration that mends it. */
function describeStop({ code, message }: RunError, { config, file }: Workspace): string {
  if (code !== 'wrong_dimensions') return wordEnd(message);
  const lines = usedAliases(config).map(alias => formatPath(['models', alias, 'dimensions']));
  return `${message} The line is ${lines.join(' or ')} in ${file}.`;
}
