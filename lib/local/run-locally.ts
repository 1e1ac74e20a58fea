import { createControlStore } from '../adapters/sql/control-store.ts';
import type { RunLock } from '../adapters/sql/database.ts';
import { createGoldenStore } from '../adapters/sql/golden-store.ts';
import { createReportStore } from '../adapters/sql/report-store.ts';
import { countBuffersAsHeap, createSystemClock } from '../adapters/system.ts';
import { formatPath } from '../core/config/describe-issues.ts';
import { usedAliases } from '../core/config/pipeline-config.ts';
import { DATABASE_PAUSE, isProviderPause } from '../core/control.ts';
import { UsageError } from '../core/errors.ts';
import { goldenKeyOf } from '../core/golden-texts.ts';
import type { Space } from '../core/model.ts';
import {
  decideRunEnd,
  describeFaults,
  describeHeld,
  type HeldRows,
  type ObservedRun,
  type RunEnding,
  type RunEndKind,
  type RunError,
} from '../core/run-end.ts';
import { describeFailure } from '../pipeline/failures.ts';
import { readCoverages, readLedgers } from '../pipeline/operate/requests.ts';
import type { PauseReason } from '../ports/control-store.ts';
import type { ObservedReason } from '../ports/process.ts';
import type { Coverage, ReportStore } from '../ports/report-store.ts';
import { listenForOperator } from '../wiring/listen-for-operator.ts';
import { openSpaceList } from '../wiring/local-requests.ts';
import { checkModels } from '../wiring/models.ts';
import { prepareDatabase } from '../wiring/prepare.ts';
import type { Workspace } from '../wiring/workspace.ts';
import { describeFailedRow, type LineFile, openLocalParts } from './open-parts.ts';
import type { LocalRunPorts, RunSummary } from './run-parts.ts';
import { createRunTally, type RunTally, type RunTotals } from './run-tally.ts';
import { runUntilFresh } from './run-until-fresh.ts';
import { watchSources } from './watch-sources.ts';

/** Also where the run went through. */
function describeKeptOrphans(orphansKept: RunSummary['orphansKept']): string[] {
  return orphansKept.map(({ source, cause }) =>
    cause === 'row-security'
      ? `Source "${source}": vectors whose rows this role does not see are kept, because row-level security may hide them: npm run freshet -- doctor`
      : `Source "${source}": too many rows are gone at once, or all of them; their vectors are kept until somebody confirms it: npm run freshet -- doctor`,
  );
}

function describeStop({ code, message }: RunError, { config, file }: Workspace): string {
  if (code !== 'wrong_dimensions') return message;
  const lines = usedAliases(config).map(alias => formatPath(['models', alias, 'dimensions']));
  return `${message} The line is ${lines.join(' or ')} in ${file}.`;
}

const AGREES_FOR_SECONDS = 24 * 3600;

/**
 * Refuses a run whose models no longer give the vectors that are stored.
 * Runs call this before they buy anything. A model is checked when it has work to do, has recorded
 * golden vectors, and was not compared for a day. A provider that fails is left to the run, which
 * waits and reports as it always does.
 * @throws UsageError where a model gives other vectors than the stored ones.
 */
async function refuseChangedModels(workspace: Workspace, coverages: readonly Coverage[]): Promise<void> {
  const golden = createGoldenStore(workspace.database);
  const busy = coverages.filter(({ stale, inFlight }) => stale + inFlight > 0).map(({ model }) => model);
  const due = new Set<string>();
  for (const alias of new Set(busy)) {
    const model = workspace.config.models[alias];
    if (model === undefined || model.check === 'off') continue;
    const key = goldenKeyOf(model);
    const record = await golden.find(key);
    if (record !== undefined && record.ageSeconds >= AGREES_FOR_SECONDS) due.add(alias);
  }
  if (due.size === 0) return;
  for (const { alias, problem } of await checkModels(workspace, due)) {
    if (problem?.code === 'golden_mismatch')
      throw new UsageError(`Model "${alias}": ${problem.message}`, `The line is ${problem.line}.`);
  }
}

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
    resumed: reasons.filter(({ reason }) => reason === DATABASE_PAUSE || isProviderPause(reason)),
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

type SeenUnderLock = Pick<ObservedRun, 'error' | 'lockLost' | 'faults' | 'deadLetters'> & {
  readonly notices: string[];
};

async function runUnderLock(
  workspace: Workspace,
  request: Parameters<typeof openLocalParts>[1] & Pick<RunOptions, 'watchIntervalMs' | 'onWaiting'>,
  lock: RunLock,
  countHeldElsewhere: NonNullable<LocalRunPorts['countHeldElsewhere']>,
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
  parts: LocalRunPorts,
  { watchIntervalMs, onWaiting }: Pick<RunOptions, 'watchIntervalMs' | 'onWaiting'>,
): Promise<RunSummary> {
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
  const onPassEnded = (faults: RunSummary['faults']) => {
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
