import { BUDGET_PAUSE, isProviderPause, OPERATOR_PAUSE } from '../core/control.ts';
import { FreshetError } from '../core/errors.ts';
import type { DetectReport, DetectRequest, SpaceReport } from '../pipeline/detect/detect-ports.ts';
import { describeFailure } from '../pipeline/failures.ts';
import {
  countDown,
  createLocalContext,
  type LocalRunPorts,
  type NoticedRows,
  type RunSummary,
} from './run-ports.ts';
import { createSuspectTurns } from './suspect-turns.ts';

/** Milliseconds until the round after a failed one; doubled with each failure, up to the cap. */
const RETRY_BASE_MS = 1_000;
const RETRY_CAP_MS = 30_000;
/** Milliseconds between two looks for edits alone, each of which takes a few milliseconds. */
const EDITS_EVERY_MS = 1_000;

/** What a run knows of stale rows that it has not leased yet. */
export interface LookAhead {
  /**
   * Runs an incremental pass and a stretch of reconcile, together at most `maxRows` rows.
   * `idle`: nothing of the run is under way, so that a pass that finds nothing counts.
   * @throws FreshetError with the reason why the run must end.
   */
  round(maxRows: number, idle: boolean): Promise<void>;
  /**
   * Runs an incremental pass alone, at most `maxRows` rows, while the workers have messages enough.
   * An edit would otherwise wait until they have none: minutes, where a rate holds them up. Where
   * the last pass left changed rows in every space, none runs: it would lease the oldest of these,
   * and an edit is the newest.
   * @throws FreshetError with the reason why the run must end.
   */
  lookForEdits(maxRows: number): Promise<void>;
  /** Lets only whole passes from now on count, because something may have changed. */
  startOver(): void;
  /** Whether every space had a whole pass without a stale row since the last `startOver`. */
  isComplete(): boolean;
  /**
   * Whether the last round left nothing to lease.
   * Looking again is worthwhile only when the work in hand is done.
   */
  isExhausted(): boolean;
  /** When the next round is allowed at the earliest, in the clock's time. */
  nextAtMs(): number;
  /** When edits are looked for again, in the clock's time. */
  nextEditsAtMs(): number;
  /** Rows leased since the run began. */
  leasedRows(): number;
  /** Ids of the spaces that were looked at and are not left out for a fault. */
  spaceIds(): number[];
  faults(): RunSummary['faults'];
  noticed(): NoticedRows;
}

type KnownFault = RunSummary['faults'][number] & {
  /**
   * The pass that failed.
   * Undefined: the source itself is at fault, and every pass sees the fault.
   */
  readonly failedPass: DetectRequest['pass'] | undefined;
};

/**
 * Calls `detect` for a local run and knows when a whole reconcile pass found nothing to do.
 * `onWalk` is called when a round walked on over the keys and found no stale row.
 */
export function createLookAhead(ports: LocalRunPorts, onWalk: () => void): LookAhead {
  const { clock, tally } = ports;
  const faults = new Map<number, KnownFault>();
  const orphansKept = new Map<number, NoticedRows['orphansKept'][number]>();
  const skipped = new Map<string, NoticedRows['skipped'][number]>();
  const known = new Map<number, SpaceReport>();
  let begun = new Set<number>();
  let complete = new Set<number>();
  let exhausted = false;
  /**
   * Whether rows are taken up too that were in a call when a process died, beyond their turns.
   * They come last, over the whole table: runs that die early then do not die with the same rows.
   */
  let takesSuspects = ports.passes === 'incremental';
  let looked = false;
  /** Whether each space has changed rows that were seen and not leased. */
  let leftChanged = false;
  let failedRounds = 0;
  let nextAtMs = 0;
  let nextEditsAtMs = 0;
  let leasedRows = 0;
  const suspectTurns = createSuspectTurns();

  const startOver = () => {
    begun = new Set();
    complete = new Set();
    looked = false;
  };

  const detect = async (
    pass: DetectRequest['pass'],
    maxRows: number,
    which: Pick<DetectRequest, 'maxAttempts' | 'expiredOnly'> = takesSuspects ? {} : { maxAttempts: 0 },
  ): Promise<DetectReport> => {
    const remainingMs = countDown(clock, ports.limits.invocationTimeoutMs);
    const request = { pass, maxRows, sources: ports.sources, ...which };
    const report = await ports.handlers.detect(request, createLocalContext('detect', remainingMs));
    if (pass === 'incremental' && !which.expiredOnly)
      leftChanged = report.spaces.every(({ leased, unsent }) => leased > 0 && unsent);
    return report;
  };

  const postponeRounds = (error: unknown) => {
    const reason = describeFailure(error);
    if (reason.failureClass !== 'transient') throw error;
    tally.recordFailed(reason);
    nextAtMs = clock.now() + Math.min(RETRY_CAP_MS, RETRY_BASE_MS * 2 ** failedRounds);
    failedRounds += 1;
  };

  /** Whether the provider of the space failed and another model works in its place. */
  const isReplaced = ({ source, pausedBy = [] }: SpaceReport) =>
    pausedBy.every(({ reason }) => isProviderPause(reason)) &&
    [...known.values()].some(other => other.fallback === true && other.source === source);

  const noteSpace = (report: SpaceReport, pass: DetectRequest['pass']) => {
    const meantPause = findMeantPause(report);
    if (meantPause === undefined && !isReplaced(report)) refusePause(report);
    const { orphans, source, spaceId } = report;
    const fault = meantPause ?? report.fault;
    for (const row of report.skipped) skipped.set(JSON.stringify([spaceId, row.id]), { source, ...row });
    if (orphans?.stopped) orphansKept.set(spaceId, { source, cause: orphans.stopped });
    if (!fault) {
      // A fault of one pass stays when the other pass runs well.
      if ((faults.get(spaceId)?.failedPass ?? pass) === pass) faults.delete(spaceId);
      return;
    }
    if (report.fault?.failureClass === 'transient') {
      throw new FreshetError(fault.message, { failureClass: 'transient', code: fault.code });
    }
    const failedPass = report.fault?.failureClass === undefined ? undefined : pass;
    faults.set(spaceId, { source, code: fault.code, message: fault.message, failedPass });
  };

  const noteSpaces = ({ spaces }: DetectReport, pass: DetectRequest['pass']) => {
    for (const report of spaces) known.set(report.spaceId, report);
    for (const report of spaces) noteSpace(report, pass);
    if (spaces.every(report => findMeantPause(report) !== undefined)) spaces.forEach(refusePause);
  };

  const notePass = (report: SpaceReport, idle: boolean) => {
    if (!idle || faults.has(report.spaceId)) return;
    if (report.pausedBy) complete.add(report.spaceId);
    if (report.passBegan) begun.add(report.spaceId);
    if (report.passEnded && begun.has(report.spaceId)) complete.add(report.spaceId);
  };

  /** Takes up some of what is left alone once its turn has come; resolves with the rows leased. */
  const takeTurnOfSuspects = async (maxRows: number): Promise<number> => {
    const allowed = Math.min(maxRows, suspectTurns.allowedAfter(leasedRows));
    if (allowed === 0) return 0;
    const found = await detect('incremental', allowed, { expiredOnly: true });
    const rows = sumLeased(found);
    leasedRows += rows;
    suspectTurns.noteTurn(leasedRows, rows);
    noteSpaces(found, 'incremental');
    return rows;
  };

  /** Takes up, once nothing else is left, what was left alone; resolves with the rows leased. */
  const takeSuspects = async (maxRows: number): Promise<number> => {
    if (takesSuspects) return 0;
    takesSuspects = true;
    const found = await detect('incremental', maxRows);
    const rows = sumLeased(found);
    leasedRows += rows;
    exhausted = rows < maxRows;
    noteSpaces(found, 'incremental');
    return rows;
  };

  const noteChanged = (changed: DetectReport, idle: boolean) => {
    failedRounds = 0;
    exhausted = true;
    looked = true;
    if (sumLeased(changed) > 0) return;
    if (idle) for (const { spaceId } of changed.spaces) if (!faults.has(spaceId)) complete.add(spaceId);
  };

  return {
    startOver,
    isComplete: () => looked && [...known.keys()].every(id => complete.has(id) || faults.has(id)),
    isExhausted: () => exhausted,
    nextAtMs: () => nextAtMs,
    nextEditsAtMs: () => nextEditsAtMs,
    leasedRows: () => leasedRows,
    spaceIds: () => [...known.keys()].filter(id => !faults.has(id)),
    faults: () => [...faults.values()].map(({ source, code, message }) => ({ source, code, message })),
    noticed: () => ({ orphansKept: [...orphansKept.values()], skipped: [...skipped.values()] }),
    async lookForEdits(maxRows) {
      nextEditsAtMs = clock.now() + EDITS_EVERY_MS;
      if (leftChanged) return;
      try {
        const changed = await detect('incremental', maxRows);
        leasedRows += sumLeased(changed);
        noteSpaces(changed, 'incremental');
        if (sumLeased(changed) > 0) startOver();
      } catch (error) {
        postponeRounds(error);
      }
    },
    async round(maxRows, idle) {
      nextEditsAtMs = clock.now() + EDITS_EVERY_MS;
      const leasedBefore = leasedRows;
      try {
        ports.beginRound?.(idle);
        const turnRows = await takeTurnOfSuspects(maxRows);
        const changed = await detect('incremental', maxRows - turnRows);
        leasedRows += sumLeased(changed);
        noteSpaces(changed, 'incremental');
        const changedRows = turnRows + sumLeased(changed);
        if (changedRows >= maxRows) return;
        if (ports.passes === 'incremental') return noteChanged(changed, idle);
        const walked = await detect('reconcile', maxRows - changedRows);
        const walkedRows = sumLeased(walked);
        leasedRows += walkedRows;
        noteSpaces(walked, 'reconcile');
        for (const report of walked.spaces) notePass(report, idle);
        failedRounds = 0;
        const ended = walked.spaces.every(
          ({ passEnded, pausedBy, spaceId }) => passEnded || pausedBy || faults.has(spaceId),
        );
        exhausted = ended && changedRows + walkedRows < maxRows;
        looked = true;
        const suspectRows = exhausted ? await takeSuspects(maxRows - changedRows - walkedRows) : 0;
        if (changedRows + walkedRows + suspectRows > 0) return;
        if (ended) return;
        // The pass ran out of time among the keys, or no lease was free.
        // In both cases asking again at once gains nothing.
        nextAtMs = clock.now() + RETRY_BASE_MS;
        if (walked.spaces.some(({ slices }) => slices > 0)) onWalk();
      } catch (error) {
        postponeRounds(error);
      } finally {
        // A leased row is stale until its outcome is written, even where its pass failed later.
        if (leasedRows > leasedBefore) startOver();
      }
    },
  };
}

const sumLeased = ({ spaces }: DetectReport) => spaces.reduce((sum, { leased }) => sum + leased, 0);

/**
 * Ends the run where a space is paused.
 * A person or an earlier failure stopped the space: waiting would only look like work.
 */
function refusePause({ pausedBy }: SpaceReport): void {
  const [pause] = pausedBy ?? [];
  if (!pause) return;
  throw new FreshetError(describePause(pause), { failureClass: 'stop', code: pause.reason });
}

/** Reasons that somebody meant: by a command, or by a cap of the budget. */
const MEANT: ReadonlySet<string> = new Set([OPERATOR_PAUSE, BUDGET_PAUSE]);

/**
 * Finds the pause of a space that only an operator or the budget paused.
 * Such a pause leaves the other spaces to go on, as a fault of a source does. Any other reason ends
 * the run.
 */
function findMeantPause({
  pausedBy = [],
}: SpaceReport): { readonly code: string; readonly message: string } | undefined {
  const [pause] = pausedBy;
  if (pause === undefined || pausedBy.some(({ reason }) => !MEANT.has(reason))) return undefined;
  return { code: pause.reason, message: describePause(pause) };
}

function describePause({ scope, reason, detail }: NonNullable<SpaceReport['pausedBy']>[number]): string {
  const told = detail || 'no detail given';
  return `${scope} is paused (${reason}): ${told}${told.endsWith('.') ? '' : '.'}`;
}
