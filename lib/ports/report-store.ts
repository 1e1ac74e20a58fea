import type { Space } from '../core/model/space.ts';
import type { HeldRows } from '../core/run-end.ts';

export interface ReportStore {
  /** One statement, one snapshot: `eligible = fresh + excluded + failed + inFlight + stale` always holds. */
  readCoverage(space: Space): Promise<Coverage>;
  /** Stale rows of the space whose live lease another than this run has. Reads the leases, not the whole table. */
  countHeldElsewhere(space: Space, runId: number): Promise<HeldRows>;
  /** Failures by class and code, most frequent first, with up to `exampleLimit` ids each. */
  readFailures(space: Space, exampleLimit: number): Promise<readonly FailureGroup[]>;
  /** Makes failed rows stale again, at most `limit`, and forgets their verdicts. Returns how many rows. */
  retryFailures(
    space: Space,
    filter: {
      readonly code?: string;
      readonly failureClass?: string;
      readonly itemId?: string;
      readonly limit?: number;
    },
  ): Promise<number>;
  readLedger(space: Space): Promise<LedgerTotals>;
  /** Nearest outcome rows by cosine distance, joined to the source for the columns to show. */
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
  /** fresh / (eligible − excluded), floored to two decimals; 100 when nothing is left to embed. */
  readonly coveragePercent: number;
}

export interface FailureGroup {
  readonly failureClass: string;
  readonly code: string;
  readonly rows: number;
  readonly exampleIds: readonly string[];
  readonly lastAt: string | null;
}

export interface LedgerTotals {
  readonly providerCalls: number;
  readonly tokens: number;
  readonly costUsd: number;
  /** Granted and never settled for over 15 minutes, or by a run that is gone. */
  readonly paidAndLostCalls: number;
  readonly paidAndLostCostUsd: number;
  readonly lastUpdate: string | null;
}

export interface SearchHit {
  readonly id: string;
  /** 1 − cosine distance. */
  readonly similarity: number;
  /** The source's text columns, for the terminal of the person who searched; never logged. */
  readonly columns: readonly (string | null)[];
}
