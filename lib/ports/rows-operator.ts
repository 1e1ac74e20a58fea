import type { AskOperator, SourceFailures, StatusAnswer } from './operator.ts';

/**
 * What a page for people asks of the rows: what an operator asks.
 * It rejects with `UsageError` where the person can mend it, such as a database that is not there
 * yet, and with `FreshetError` for all else that is foreseen.
 */
export interface RowsOperator {
  readonly ask: AskOperator;
  /** Asks the runs that watch to look now. */
  nudge(): Promise<NudgeAnswer>;
}

/** How many runs on the machine were asked. */
export interface NudgeAnswer {
  readonly runs: number;
}

/** How the rows stand, as a page shows it; or why that cannot be read now. */
export type WatchedRows =
  | {
      readonly isRead: true;
      readonly status: StatusAnswer;
      readonly failures: readonly SourceFailures[];
    }
  | { readonly isRead: false; readonly message: string; readonly remedy: string | undefined };

export interface RowsWatch {
  /** How the rows stand: the last reading while it is new enough, else one that begins now. */
  read(): Promise<WatchedRows>;
  /** One reading after the other, until the signal aborts. */
  follow(signal: AbortSignal): AsyncGenerator<WatchedRows>;
  /** Drops the last reading, because of a change: whoever follows gets a new one at once. */
  changed(): void;
}
