import type { FailureClass } from '../core/model.ts';
import { describeUnanswered, isUnanswered } from '../core/pace.ts';
import { remedyOfCode } from '../core/provider-failures.ts';
import type { LedgerEntry } from '../core/result-object.ts';
import type { Clock, ObservedReason, RunObserver } from '../ports/process.ts';

/** What a run did since it began. Counts of rows unless the name says otherwise. */
export interface RunTotals {
  readonly embedded: number;
  readonly copied: number;
  readonly touched: number;
  readonly excluded: number;
  readonly failed: number;
  readonly tokens: number;
  readonly costUsd: number;
  readonly providerCalls: number;
  /** Rows whose outcome was written: the sum of the first five. */
  readonly itemsDone: number;
  readonly durationMs: number;
  /** The run's duration divided by `itemsDone`; 0 when nothing was done. */
  readonly averageMsPerItem: number;
  /** The failed share of `itemsDone`, 0 to 1. */
  readonly errorRate: number;
}

/** Sums up what the steps of one run report. The steps are given the tally as `observer`. */
export interface RunTally extends RunObserver {
  totals(): RunTotals;
  /** The most recent reason why rows wait, a message comes again or a call is repeated. */
  lastReason(): ObservedReason | undefined;
  /** The first reason that waiting does not mend. */
  stopReason(): ObservedReason | undefined;
  /**
   * When looking for rows that were given back is worthwhile, in the clock's time.
   * Undefined: no rows were given back.
   */
  recheckAtMs(): number | undefined;
  /** Texts per call of the models whose servers tell no more apart, the least that was seen. */
  limitedModels(): ReadonlyMap<string, number>;
  /** Forgets `recheckAtMs`, because the run looks for those rows now. */
  forgetRecheck(): void;
}

/** Creates a tally that begins now; `onRowFailed` gets each row whose outcome is a failure. */
export function createRunTally(
  clock: Clock,
  onRowFailed: RunObserver['rowFailed'] = () => undefined,
): RunTally {
  const startedMs = clock.now();
  const sums = { embedded: 0, copied: 0, touched: 0, excluded: 0, failed: 0 };
  const calls = { tokens: 0, costUsd: 0, providerCalls: 0 };
  let last: ObservedReason | undefined;
  let stop: ObservedReason | undefined;
  let recheckAtMs: number | undefined;
  const limited = new Map<string, number>();
  return {
    called(entry) {
      calls.providerCalls += 1;
      calls.tokens += entry.tokens;
      calls.costUsd += entry.costUsd;
      const failure = describeFailedCall(entry);
      // A step that gave up on such a call gave the better sentence.
      const isBetter = failure !== undefined && (isUnanswered(failure.code) || failure.code !== last?.code);
      if (isBetter) last = failure;
    },
    written(report) {
      for (const name of Object.keys(sums) as (keyof typeof sums)[]) sums[name] += report[name];
    },
    rowFailed: onRowFailed,
    postponed(_rows, afterSeconds, reason) {
      last = reason;
      recheckAtMs = Math.max(recheckAtMs ?? 0, clock.now() + afterSeconds * 1000);
    },
    paused(_scope, reason) {
      stop ??= reason;
    },
    callsLimited(modelAlias, textsPerCall) {
      limited.set(modelAlias, Math.min(textsPerCall, limited.get(modelAlias) ?? textsPerCall));
    },
    recordFailed(reason) {
      last = reason;
      if (reason.failureClass === 'stop') stop ??= reason;
    },
    totals() {
      const itemsDone = sums.embedded + sums.copied + sums.touched + sums.excluded + sums.failed;
      const durationMs = Math.max(0, clock.now() - startedMs);
      return {
        ...sums,
        ...calls,
        itemsDone,
        durationMs,
        averageMsPerItem: itemsDone === 0 ? 0 : durationMs / itemsDone,
        errorRate: itemsDone === 0 ? 0 : sums.failed / itemsDone,
      };
    },
    lastReason: () => last,
    stopReason: () => stop,
    recheckAtMs: () => recheckAtMs,
    limitedModels: () => limited,
    forgetRecheck() {
      recheckAtMs = undefined;
    },
  };
}

/**
 * Describes a call that failed in a way that mends itself.
 * Such a call is repeated, within its message or later. Until the repetitions end, no step reports
 * a reason, and the run may run out of patience before.
 */
function describeFailedCall(entry: LedgerEntry): ObservedReason | undefined {
  const { modelAlias, outcome, uniqueTexts, latencyMs } = entry;
  const [, failureClass, code] = /^(throttled|transient):(.+)$/.exec(outcome) ?? [];
  if (failureClass === undefined || code === undefined) return undefined;
  return {
    failureClass: failureClass as FailureClass,
    code,
    message: isUnanswered(code)
      ? describeUnanswered(modelAlias, { texts: uniqueTexts, seconds: latencyMs / 1000 }, code)
      : [`The provider did not embed (${code}), and was asked again.`, remedyOfCode(code) ?? []]
          .flat()
          .join(' '),
  };
}

const WINDOW_MS = 1_000;
/** Milliseconds of a run from which its pace can be told. */
const LEAST_WINDOW_MS = 200;

/** How fast a run works off rows. */
export interface RecentProgress {
  /** Told the rows done since some beginning, whenever their number grew. */
  note(rowsDone: number): void;
  /**
   * The rows done in the last second.
   * In its first second a run is taken to go on as it began: its pace would be known too late for a
   * run of few seconds.
   */
  finishedRows(): number;
}

/** Creates the progress of a run; the `rowsDone` before now count as done long ago. */
export function createRecentProgress(clock: Clock, rowsDone: number): RecentProgress {
  const begunAtMs = clock.now();
  /** The first note stands at the window's beginning or before; all others are within. */
  let noted: { readonly atMs: number; readonly rowsDone: number }[] = [
    { atMs: Number.NEGATIVE_INFINITY, rowsDone },
  ];
  const forget = () => {
    const beginsAtMs = clock.now() - WINDOW_MS;
    const first = noted.findLastIndex(({ atMs }) => atMs <= beginsAtMs);
    if (first > 0) noted = noted.slice(first);
  };
  return {
    note(rows) {
      forget();
      noted.push({ atMs: clock.now(), rowsDone: rows });
    },
    finishedRows() {
      forget();
      const rows = (noted.at(-1)?.rowsDone ?? 0) - (noted[0]?.rowsDone ?? 0);
      const seenMs = Math.max(LEAST_WINDOW_MS, clock.now() - begunAtMs);
      return Math.round(rows * Math.max(1, WINDOW_MS / seenMs));
    },
  };
}
