import type { Clock, ObservedReason, RunObserver } from '../ports/process.ts';

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
  /** Of the run's duration; 0 when nothing was done. */
  readonly averageMsPerItem: number;
  /** Failed rows of those done, 0 to 1. */
  readonly errorRate: number;
}

/** Sums up what the steps of one run tell; given to their ports as `observer`. */
export interface RunTally extends RunObserver {
  totals(): RunTotals;
  /** The most recent reason why something had to wait or be delivered again. */
  lastReason(): ObservedReason | undefined;
  /** A reason that waiting does not mend. */
  stopReason(): ObservedReason | undefined;
  /** When rows that were given back are worth looking for; undefined: none are waiting. */
  recheckAtMs(): number | undefined;
  forgetRecheck(): void;
}

/** `onRowFailed` hears of each row whose outcome is a failure, for a failure log. */
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
  return {
    called(entry) {
      calls.providerCalls += 1;
      calls.tokens += entry.tokens;
      calls.costUsd += entry.costUsd;
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
    forgetRecheck() {
      recheckAtMs = undefined;
    },
  };
}

const WINDOW_MS = 1_000;

export interface RecentProgress {
  /** Whenever it grew; the rows done since some beginning. */
  note(rowsDone: number): void;
  /** Rows done in the last second. */
  finishedRows(): number;
}

/** `rowsDone` are those before now, which count as long ago. */
export function createRecentProgress(clock: Clock, rowsDone: number): RecentProgress {
  /** The first stands at the window's beginning or before it, all others are within. */
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
      return (noted.at(-1)?.rowsDone ?? 0) - (noted[0]?.rowsDone ?? 0);
    },
  };
}
