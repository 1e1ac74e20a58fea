import type { LedgerEntry } from '../core/model/result-object.ts';
import type { FailureClass, Outcome } from '../core/model/vocabulary.ts';
import type { WriteReport } from './outcome-store.ts';

/**
 * What a local run hears of its own steps while they work.
 * Calls are synchronous and never throw. The deployed pipeline has no observer.
 */
export interface RunObserver {
  /** A provider call ended, well or not. */
  called(entry: LedgerEntry): void;
  /** A result object reached the database. */
  written(report: WriteReport): void;
  /** An outcome that is a failure was announced. */
  rowFailed(row: { readonly source: string; readonly id: string; readonly outcome: Outcome }): void;
  /** Rows were given back. Looking for them again is worthwhile after `afterSeconds`. */
  postponed(rows: number, afterSeconds: number, reason: ObservedReason): void;
  /** A step stored a pause reason. The scope stands still until somebody mends the cause. */
  paused(scope: string, reason: ObservedReason): void;
  /** A message was not acknowledged. */
  recordFailed(reason: ObservedReason): void;
}

export interface ObservedReason {
  readonly failureClass: FailureClass;
  readonly code: string;
  /** A sentence for people, without text of a row or of a provider. */
  readonly message: string;
}
