import type { Space } from '../core/model.ts';
import type { HeldRows } from '../core/run-end.ts';
import type { LeasedRow, LeaseRequest } from './detection-store.ts';

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

/**
 * Makes stored outcomes stale, so that their rows are embedded again.
 * Nothing is deleted: search goes on with the old vectors.
 * @throws FreshetError from every method, classified from the SQLSTATE.
 */
export interface ResetStore {
  /**
   * What a reset of the whole selection would touch.
   * The method reads the whole vector table, so that only people call it.
   */
  plan(space: Space, selection: ResetSelection): Promise<ResetPlan>;
  /**
   * Resets one batch of at most `limit` rows after the key `after`, in the order of the key.
   * The rows lose their version and their hash, so that neither a touch nor a copy brings the old
   * vector back. Rows that failed are left to `retry`. `cursor` is the last key of the batch; null:
   * nothing is left behind this batch.
   */
  reset(
    space: Space,
    selection: ResetSelection,
    batch: { readonly after: string | null; readonly limit: number },
  ): Promise<{ readonly rows: number; readonly cursor: string | null }>;
}

export interface ResetSelection {
  /** ISO 8601. Only outcomes made before this time are chosen; undefined: all outcomes. */
  readonly olderThan?: string | undefined;
}

export interface ResetPlan {
  readonly rows: number;
  /**
   * Texts that must be bought.
   * Equal texts count once. A text whose vector a row outside the selection keeps does not count.
   */
  readonly texts: number;
  /**
   * Tokens of the texts that must be bought, as counted when they were bought before.
   * Where no count is stored, the number is estimated from the length of the text.
   */
  readonly tokens: number;
}

/**
 * What a selective redrive asks of the database.
 * @throws FreshetError from every method, classified from the SQLSTATE.
 */
export interface RedriveStore {
  /**
   * Those of the ids whose source row exists and is stale, by version or by `xmin`.
   * @throws FreshetError of class `item` where an id is no key of the source.
   */
  findStaleRows(space: Space, ids: readonly string[]): Promise<readonly StaleRow[]>;
  /**
   * Leases those of the ids that are stale and whose lease is free, as `detect` does.
   * At most `limit` rows are leased.
   */
  leaseNamedRows(
    space: Space,
    request: LeaseRequest & { readonly ids: readonly string[] },
  ): Promise<readonly LeasedRow[]>;
}

export interface StaleRow {
  readonly id: string;
  /** The stored outcome of an earlier version; null where there is none. */
  readonly outcome: string | null;
  /** The dispatch that holds a live lease of the row; null where the row is free. */
  readonly heldBy: string | null;
}

/** One entry of the bundled sample, which becomes a row of the example table. */
export interface SampleItem {
  readonly title: string;
  readonly summary: string;
  readonly tags: readonly string[];
}

/**
 * The application's side of the example database.
 * The store makes what a deployment with an example database needs, and edits its rows.
 */
export interface SampleStore {
  /**
   * Makes the pipeline's role with exactly its rights, and the table where it is missing.
   * Repeating the call changes nothing. `created` says whether the table was missing.
   */
  load(items: readonly SampleItem[]): Promise<{ readonly rows: number; readonly created: boolean }>;
  /** Inserts a row with this title, and resolves with its id. */
  insert(title: string): Promise<string>;
  /** Changes the title of a row; false: there is no such row. */
  edit(id: string, title: string): Promise<boolean>;
  /** The coverage of each space; empty before the pipeline's first migration. */
  readCoverage(): Promise<readonly Coverage[]>;
}

/**
 * Vectors of the golden texts, as a model gave them at its first check.
 * @throws FreshetError from every method, classified from the SQLSTATE.
 */
export interface GoldenStore {
  /** The stored vectors; undefined where the model was never checked. */
  find(key: GoldenKey): Promise<GoldenVectors | undefined>;
  /**
   * Inserts the vectors of a model's first check.
   * The first vectors stay: where two checks insert at the same time, the later one changes
   * nothing.
   */
  insert(key: GoldenKey, alias: string, vectors: readonly Buffer[]): Promise<void>;
  /** Stores that the vectors were compared and agreed just now. */
  confirm(key: GoldenKey): Promise<void>;
}

/** What `goldenKeyOf` returns for a model. */
export interface GoldenKey {
  /** Equal fingerprints promise equal vectors. */
  readonly modelFingerprint: string;
  /** The version of the golden texts that were embedded. */
  readonly textVersion: number;
}

/** What a model answered at its first check. */
export interface GoldenVectors {
  /** One vector per golden text, float32, little-endian. */
  readonly vectors: readonly Buffer[];
  readonly recordedAt: string;
  /** Seconds since the vectors agreed last. */
  readonly ageSeconds: number;
}
