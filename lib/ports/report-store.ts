import type { Cap } from '../core/budget.ts';
import type { Space } from '../core/model.ts';
import type { ModelFlow } from '../core/model-flow.ts';
import type { HeldRows } from '../core/run-end.ts';
import type { LeasedRow, LeaseRequest } from './detection-store.ts';

/**
 * What reports and `retry` ask of the database.
 * @throws FreshetError from every method, classified from the SQLSTATE.
 */
export interface ReportStore {
  /**
   * Counts the rows of a space in one statement, that is in one snapshot.
   * `eligible = fresh + excluded + failed + inFlight + stale` always holds. With `timeoutMs` it
   * rejects with code `sqlstate_57014` where that takes longer.
   */
  readCoverage(space: Space, timeoutMs?: number): Promise<Coverage>;
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
  /** What was spent on each of the caps in its period, calls under way and lost ones included. */
  readSpending(caps: readonly Cap[]): Promise<readonly Spending[]>;
  /** What vectors cost that were made for searches and clients, which are of no space. */
  readQueries(): Promise<QueryTotals>;
  /** Rows a second whose vectors were bought, over the last five minutes. */
  readRate(space: Space): Promise<number>;
  /** How the work of the spaces' models flows: limits, use, queues and batches. */
  readFlows(spaces: readonly Space[]): Promise<readonly ModelFlow[]>;
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
  /** When a vector of these rows was written last, as the database writes a timestamp. */
  readonly lastUpdate: string | null;
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
  /**
   * What one purchase of each distinct text version that was stored costs.
   * Not in it: calls that brought nothing, and texts that were edited or deleted while they were
   * bought. Equal texts that two workers bought at the same moment are in it twice.
   */
  readonly necessaryUsd: number;
  /** Calls that were granted over 15 minutes ago and never settled. */
  readonly paidAndLostCalls: number;
  readonly paidAndLostCostUsd: number;
}

/** What vectors for searches and clients cost, of all models together. */
export interface QueryTotals {
  readonly providerCalls: number;
  readonly tokens: number;
  readonly costUsd: number;
  /** Since midnight UTC. */
  readonly costUsdToday: number;
}

/** What was spent on a cap of the budget in the period that runs. */
export interface Spending {
  /** `pipeline`, or `source:<name>`. */
  readonly scope: string;
  readonly period: 'day' | 'month';
  readonly capUsd: number;
  readonly spentUsd: number;
  /** Of the cap, floored; above 100 where a bill went beyond it. */
  readonly percent: number;
  /** When the period ends and what is paused goes on: ISO 8601, UTC. */
  readonly endsAt: string;
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
  /** Rows whose text keeps its vector in a row outside the selection. */
  readonly copied: number;
  /** Rows without a text to buy. */
  readonly excluded: number;
  /**
   * Tokens of the texts that must be bought, as they were estimated when they were bought before.
   * Where no estimate is stored, it is made from the length of the text.
   */
  readonly tokens: number;
}

/**
 * What a quote asks of the database before anything is bought.
 * @throws FreshetError from every method, classified from the SQLSTATE.
 */
export interface QuoteStore {
  /** Counts the stale rows of the space, those too that are on their way. */
  countStaleRows(space: Space): Promise<number>;
  /**
   * Ids of the stale rows whose texts fall into one part of so many, by a hash of the text.
   * Rows with equal texts fall into one part together: a sample of rows would see too few
   * duplicates. One part holds all rows.
   */
  listStaleRows(space: Space, parts: number): Promise<readonly string[]>;
  /** Adds up the latest answered calls of the space. */
  measureCalls(space: Space): Promise<MeasuredCalls>;
}

/** What calls that were made tell of calls to come. */
export interface MeasuredCalls {
  readonly tokens: number;
  readonly latencyMs: number;
  /** Tokens billed for calls of which the estimate is known, and the estimates of these calls. */
  readonly comparedTokens: number;
  readonly estimatedTokens: number;
  /** Billed by estimated tokens, of up to ten groups of calls. */
  readonly ratios: readonly number[];
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
  /**
   * Inserts copies of the sample's rows, each with a text of its own, until the table has so many.
   * Inserts at most 20,000 rows, and resolves with how many the table has then.
   */
  grow(rows: number): Promise<number>;
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
