import { isProviderPause, OPERATOR_PAUSE } from '../core/control.ts';
import { FreshetError } from '../core/errors.ts';
import type { DetectReport, DetectRequest, SpaceReport } from '../pipeline/detect/detect-ports.ts';
import { describeFailure } from '../pipeline/failures.ts';
import type { DetectionStore, LeasedRow, SourceFault } from '../ports/detection-store.ts';
import type { Clock } from '../ports/process.ts';
import { countDown, createLocalContext, type LocalRunPorts, type RunSummary } from './run-parts.ts';

const RETRY_BASE_MS = 1_000;
const RETRY_CAP_MS = 30_000;

export interface LookAhead {
  /** One incremental pass and one stretch of reconcile, together at most `maxRows` rows. Rejects with the reason to end the run. */
  round(maxRows: number, idle: boolean): Promise<void>;
  /** Something may have changed since the last round: only whole passes from now on count. */
  startOver(): void;
  /** Every space has had a whole pass without a stale row since the last `startOver`. */
  isComplete(): boolean;
  /** Nothing was left to lease when it last looked; it pays to look again when the work in hand is done. */
  isExhausted(): boolean;
  /** Not before this: the database asked for patience. */
  nextAtMs(): number;
  leasedRows(): number;
  /** Spaces that were looked at and are not left out for a fault. */
  spaceIds(): number[];
  faults(): RunSummary['faults'];
  orphansKept(): RunSummary['orphansKept'];
}

type KnownFault = RunSummary['faults'][number] & {
  /** The pass that failed; undefined: the source itself is at fault, and every pass sees it. */
  readonly failedPass: DetectRequest['pass'] | undefined;
};

/** Calls `detect` for a local run and knows when a whole reconcile pass found nothing to do. */
export function createLookAhead(parts: LocalRunPorts, onWalk: () => void): LookAhead {
  const { clock, tally } = parts;
  const faults = new Map<number, KnownFault>();
  const orphansKept = new Map<number, RunSummary['orphansKept'][number]>();
  const known = new Map<number, SpaceReport>();
  let begun = new Set<number>();
  let complete = new Set<number>();
  let exhausted = false;
  let looked = false;
  let failedRounds = 0;
  let nextAtMs = 0;
  let leasedRows = 0;

  const startOver = () => {
    begun = new Set();
    complete = new Set();
    looked = false;
  };

  const detect = (pass: DetectRequest['pass'], maxRows: number): Promise<DetectReport> => {
    const remainingMs = countDown(clock, parts.limits.invocationTimeoutMs);
    const request = { pass, maxRows, sources: parts.sources };
    return parts.handlers.detect(request, createLocalContext('detect', remainingMs));
  };

  const postponeRounds = (error: unknown) => {
    const reason = describeFailure(error);
    if (reason.failureClass !== 'transient') throw error;
    tally.recordFailed(reason);
    nextAtMs = clock.now() + Math.min(RETRY_CAP_MS, RETRY_BASE_MS * 2 ** failedRounds);
    failedRounds += 1;
  };

  /** Its provider failed, and another model works in its place. */
  const isReplaced = ({ source, pausedBy = [] }: SpaceReport) =>
    pausedBy.every(({ reason }) => isProviderPause(reason)) &&
    [...known.values()].some(other => other.fallback === true && other.source === source);

  const noteSpace = (report: SpaceReport, pass: DetectRequest['pass']) => {
    const operatorPause = findOperatorPause(report);
    if (operatorPause === undefined && !isReplaced(report)) refusePause(report);
    const { orphans, source, spaceId } = report;
    const fault = operatorPause ?? report.fault;
    if (orphans?.stopped) orphansKept.set(spaceId, { source, cause: orphans.stopped });
    if (!fault) {
      // That one pass finds nothing to do does not mend what broke the other.
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
    if (spaces.every(report => findOperatorPause(report) !== undefined)) spaces.forEach(refusePause);
  };

  const notePass = (report: SpaceReport, idle: boolean) => {
    if (!idle || faults.has(report.spaceId)) return;
    if (report.pausedBy) complete.add(report.spaceId);
    if (report.passBegan) begun.add(report.spaceId);
    if (report.passEnded && begun.has(report.spaceId)) complete.add(report.spaceId);
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
    leasedRows: () => leasedRows,
    spaceIds: () => [...known.keys()].filter(id => !faults.has(id)),
    faults: () => [...faults.values()].map(({ source, code, message }) => ({ source, code, message })),
    orphansKept: () => [...orphansKept.values()],
    async round(maxRows, idle) {
      const leasedBefore = leasedRows;
      try {
        parts.beginRound?.();
        const changed = await detect('incremental', maxRows);
        const changedRows = sumLeased(changed);
        leasedRows += changedRows;
        noteSpaces(changed, 'incremental');
        if (changedRows >= maxRows) return;
        if (parts.passes === 'incremental') return noteChanged(changed, idle);
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
        if (changedRows + walkedRows > 0) return;
        if (ended) return;
        // Out of time in the middle of the key, or no lease was free: either way nothing is gained by asking at once.
        nextAtMs = clock.now() + RETRY_BASE_MS;
        if (walked.spaces.some(({ slices }) => slices > 0)) onWalk();
      } catch (error) {
        postponeRounds(error);
      } finally {
        // A leased row is stale until its outcome is written, however far the pass went that found it.
        if (leasedRows > leasedBefore) startOver();
      }
    },
  };
}

const sumLeased = ({ spaces }: DetectReport) => spaces.reduce((sum, { leased }) => sum + leased, 0);

/** Somebody, or an earlier failure, said stop: waiting would only look like work. */
function refusePause({ pausedBy }: SpaceReport): void {
  const [pause] = pausedBy ?? [];
  if (!pause) return;
  throw new FreshetError(describePause(pause), { failureClass: 'stop', code: pause.reason });
}

/** An operator's pause of one source or model leaves the others to go on, as a fault of its source does; any other reason ends the run. */
function findOperatorPause({
  pausedBy = [],
}: SpaceReport): { readonly code: string; readonly message: string } | undefined {
  const [pause] = pausedBy;
  if (pause === undefined || pausedBy.some(({ reason }) => reason !== OPERATOR_PAUSE)) return undefined;
  return { code: OPERATOR_PAUSE, message: describePause(pause) };
}

function describePause({ scope, reason, detail }: NonNullable<SpaceReport['pausedBy']>[number]): string {
  return `${scope} is paused (${reason}): ${detail || 'no detail given'}.`;
}

/** No answer is older when it is used, however long the passes of a round take. */
const TRUSTED_MS = 1_000;

interface RoundMemory {
  readonly detection: DetectionStore;
  /** From now on everything is asked anew. */
  beginRound(): void;
}

/**
 * The two passes of a round of looking ahead follow each other within milliseconds, and both ask which runs died, whether the source is still
 * what it was and how much is in flight. Here the second is told what the first heard; rows leased since then are added to those in flight,
 * rows finished since then are not taken off.
 */
export function rememberForRound(store: DetectionStore, clock: Clock): RoundMemory {
  const deadRuns = createMemory<void>(clock);
  const faults = createMemory<SourceFault | undefined>(clock);
  const inFlight = createMemory<{ leases: number }>(clock);
  const beginRound = () => {
    for (const memory of [deadRuns, faults, inFlight]) memory.forget();
  };
  const noteLeased = async <Leased extends { readonly rows: readonly LeasedRow[] }>(
    spaceId: number,
    lease: Promise<Leased>,
  ): Promise<Leased> => {
    try {
      const leased = await lease;
      const counted = inFlight.recall(spaceId);
      if (counted !== undefined) counted.leases += leased.rows.length;
      return leased;
    } catch (error) {
      // The source may have changed since it was looked at, and nobody knows what was leased.
      beginRound();
      throw error;
    }
  };

  return {
    beginRound,
    detection: {
      ...store,
      async expireLeasesOfDeadRuns() {
        // Told once: whoever asks counts them.
        let expired = 0;
        await deadRuns.ask(0, async () => {
          expired = await store.expireLeasesOfDeadRuns();
        });
        return expired;
      },
      findSourceFault: space => faults.ask(space.spaceId, () => store.findSourceFault(space)),
      async countInFlight(space) {
        const ask = async () => ({ leases: await store.countInFlight(space) });
        return (await inFlight.ask(space.spaceId, ask)).leases;
      },
      leaseChangedRows: (space, request) => noteLeased(space.spaceId, store.leaseChangedRows(space, request)),
      leaseStaleSlice: (space, request) => noteLeased(space.spaceId, store.leaseStaleSlice(space, request)),
    },
  };
}

function createMemory<Answer>(clock: Clock) {
  const answers = new Map<number, { readonly atMs: number; readonly answer: Answer }>();
  const find = (id: number) => {
    const kept = answers.get(id);
    return kept !== undefined && clock.now() - kept.atMs <= TRUSTED_MS ? kept : undefined;
  };
  return {
    forget: () => answers.clear(),
    recall: (id: number) => find(id)?.answer,
    async ask(id: number, question: () => Promise<Answer>): Promise<Answer> {
      const kept = find(id);
      if (kept !== undefined) return kept.answer;
      const answer = await question();
      answers.set(id, { atMs: clock.now(), answer });
      return answer;
    },
  };
}
