import type { FailureClass, Lane } from '../core/model.ts';
import type { ModelFlow } from '../core/model-flow.ts';
import type { SpaceQuote } from '../core/quote.ts';
import type { PauseReason } from './control-store.ts';
import type {
  Coverage,
  FailureGroup,
  LedgerTotals,
  QueryTotals,
  ResetSelection,
  Spending,
} from './report-store.ts';

/**
 * What an operator may ask of a pipeline, and what comes back.
 * The `operate` function and a local run answer alike.
 */
export interface OperateExchanges {
  readonly status: { readonly request: object; readonly answer: StatusAnswer };
  readonly failures: {
    readonly request: { readonly exampleLimit: number };
    readonly answer: { readonly failures: readonly SourceFailures[] };
  };
  /** Sets the reason `operator` on `pipeline`, `source:<name>` or `model:<alias>`. */
  readonly pause: {
    readonly request: { readonly scope: string; readonly detail: string };
    readonly answer: PauseAnswer;
  };
  /** Clears the reason `operator` of the scope, and no other reason. */
  readonly resume: { readonly request: { readonly scope: string }; readonly answer: PauseAnswer };
  readonly 'plan-reset': {
    readonly request: OutcomeSelection;
    readonly answer: { readonly spaces: readonly (SpaceQuote | StageQuote)[] };
  };
  /** Resets one batch. The request is repeated with the cursor until the cursor is null. */
  readonly reset: {
    readonly request: OutcomeSelection & { readonly cursor: ResetCursor | null; readonly limit: number };
    readonly answer: { readonly rows: number; readonly cursor: ResetCursor | null };
  };
  /** Makes one batch of failed rows stale. The request is repeated while `more`. */
  readonly retry: {
    readonly request: {
      readonly source?: string | undefined;
      /** A failure class or a code. */
      readonly cause?: string | undefined;
      readonly itemId?: string | undefined;
      readonly limit: number;
    };
    readonly answer: { readonly rows: number; readonly more: boolean };
  };
  /** Lets the next ticks of reconcile walk every key from the lowest. */
  readonly backfill: {
    readonly request: { readonly source?: string | undefined; readonly model?: string | undefined };
    readonly answer: { readonly spaces: readonly { readonly source: string; readonly model: string }[] };
  };
  /**
   * Quotes what the next ticks buy for one space, without buying or writing anything.
   * The request is repeated with `next` in place of `spaceId` until that is null.
   */
  readonly 'quote-space': {
    readonly request: { readonly source?: string | undefined; readonly spaceId: number | null };
    readonly answer: { readonly quotes: readonly StageQuote[]; readonly next: number | null };
  };
  /** Redrives up to `limit` letters. The request is repeated until nothing is received. */
  readonly redrive: { readonly request: RedriveRequest; readonly answer: RedriveAnswer };
}

export type OperateName = keyof OperateExchanges;

export type AskOperator = <Name extends OperateName>(
  name: Name,
  details: OperateExchanges[Name]['request'],
) => Promise<OperateExchanges[Name]['answer']>;

export interface StatusAnswer {
  /** Spaces whose source cannot be read are left out: `paused` says why, or `unread` names it. */
  readonly spaces: readonly ReportedSpace[];
  /** Sources whose rows cannot be listed though nothing pauses them: a view whose key raises. */
  readonly unread: readonly string[];
  readonly paused: readonly PauseReason[];
  /** Totals over all spaces and runs. */
  readonly ledger: LedgerTotals & Pick<Coverage, 'lastUpdate'>;
  /** What vectors for searches and clients cost, which `ledger` does not hold. */
  readonly queries: QueryTotals;
  /** What was spent on each cap of the budget; empty where none is configured. */
  readonly budget: readonly Spending[];
  /** How the work of each model flows. */
  readonly flows: readonly ModelFlow[];
}

/** A space with its rows counted, how long its oldest edit has waited, and how fast it moves. */
export interface ReportedSpace extends Coverage {
  /** Seconds at most; 0 where no edit waits. */
  readonly oldestStaleAgeSeconds: number;
  /** Rows whose vectors were bought, a second, over the last five minutes. */
  readonly rowsPerSecond: number;
}

export interface SourceFailures extends FailureGroup {
  readonly source: string;
  readonly model: string;
}

export interface PauseAnswer {
  /** Whether the request changed anything. */
  readonly changed: boolean;
  /** Every reason that holds now, in every scope. */
  readonly paused: readonly PauseReason[];
}

/** Which outcomes a request is about; a part that is undefined excludes none. */
export interface OutcomeSelection extends ResetSelection {
  readonly source?: string | undefined;
  readonly model?: string | undefined;
}

/** What the vectors of a space cost on a stage: the quote of its texts, and what AWS is paid. */
export interface StageQuote extends SpaceQuote {
  readonly aws: {
    /** Lambda, SQS, S3, logs and traces; without the network. */
    readonly costUsd: number;
    /** Milliseconds of a call, while which a function waits. */
    readonly callMs: number;
    /** False: no call was measured yet, and `callMs` is assumed. */
    readonly isMeasured: boolean;
  };
}

export interface ResetCursor {
  readonly spaceId: number;
  /** The last key of the batch before; null: from the lowest. */
  readonly after: string | null;
}

/** The queues that have dead letters: two of each model, and the results. */
export type DeadLetterSource = { readonly model: string; readonly lane: Lane } | 'results';

export interface RedriveRequest {
  readonly queue: DeadLetterSource;
  /** Only rows of this source; letters of others are left. */
  readonly source?: string | undefined;
  /** Only rows whose last outcome failed with this class or code. */
  readonly cause?: string | undefined;
  /** The most letters that are received. */
  readonly limit: number;
}

export interface RedriveAnswer {
  /** Letters received. 0: the queue has none that can be received now. */
  readonly received: number;
  /** Rows sent again under a new dispatch, or whose paid result was announced again. */
  readonly dispatched: number;
  /** Rows that are fresh, gone, of a retired space, or on their way by another dispatch. */
  readonly superseded: number;
  /** Letters that stay: another source or cause, paused, or not accepted by the queue. */
  readonly left: number;
  /** Letters that no version of Freshet wrote; they stay too. */
  readonly unreadable: number;
}

/** How an answer travels: as JSON, from a function or through a folder. */
export type OperateReply =
  | { readonly answer: object }
  | {
      readonly error: {
        readonly message: string;
        /** What to do, where the operator can mend it. */
        readonly remedy?: string;
        readonly failureClass: FailureClass;
        readonly code: string;
      };
    };
