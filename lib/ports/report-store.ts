import type { Space } from '../core/model/space.ts';
import type { HeldRows } from '../core/run-end.ts';

/**
 * What reports, `retry` and search ask of the database.
 * @throws FreshetError from every method, classified from the SQLSTATE.
 */
export interface ReportStore {
  /**
   * Counts the rows of a space in one statement, that is in one snapshot.
   * `eligible = fresh + excluded + failed + inFlight + stale` always holds.
   */
  readCoverage(space: Space): Promise<Coverage>;
  /**
   * Counts the stale rows of a space whose live lease belongs to another run than `runId`.
   * It reads the leases, not the whole table.
   */
  countHeldElsewhere(space: Space, runId: number): Promise<HeldRows>;
  /** Failed rows by class and code, most frequent first, with up to `exampleLimit` ids each. */
  readFailures(space: Space, exampleLimit: number): Promise<readonly FailureGroup[]>;
  /**
   * Makes failed rows stale again and forgets their verdicts. Returns how many rows.
   * A filter that is left out matches all rows; without `limit` all matching rows are taken.
   */
  retryFailures(
    space: Space,
    filter: {
      /** A failure class or a code, as `isOfCause` matches it. */
      readonly cause?: string;
      readonly itemId?: string;
      readonly limit?: number;
    },
  ): Promise<number>;
  readLedger(space: Space): Promise<LedgerTotals>;
  /**
   * The outcome rows nearest to the vector by cosine distance, nearest first.
   * `queryVector` is float32, little-endian. The rows are joined to the source for the columns to
   * show.
   */
  search(space: Space, queryVector: Buffer, limit: number): Promise<readonly SearchHit[]>;
}

export interface Coverage {
  readonly source: string;
  readonly model: string;
  readonly eligible: number;
  readonly fresh: number;
  readonly stale: number;
  readonly inFlight: number;
  readonly failed: number;
  readonly excluded: number;
  /**
   * fresh / (eligible − excluded), in percent, floored to two decimals.
   * 100 when nothing is left to embed.
   */
  readonly coveragePercent: number;
}

/** Failed rows that share a class and a code. */
export interface FailureGroup {
  readonly failureClass: string;
  readonly code: string;
  readonly rows: number;
  readonly exampleIds: readonly string[];
  /** When the text of such a row was read last, as the database writes a timestamp. */
  readonly lastAt: string | null;
}

/** What the calls of a space cost, from the ledger and from grants that nobody settled. */
export interface LedgerTotals {
  readonly providerCalls: number;
  readonly tokens: number;
  readonly costUsd: number;
  /** Calls that were granted over 15 minutes ago and never settled. */
  readonly paidAndLostCalls: number;
  readonly paidAndLostCostUsd: number;
  /** When a vector was written last, as the database writes a timestamp. */
  readonly lastUpdate: string | null;
}

export interface SearchHit {
  readonly id: string;
  /** 1 − cosine distance. */
  readonly similarity: number;
  /** The source's text columns, for the terminal of the person who searched. Never logged. */
  readonly columns: readonly (string | null)[];
}
