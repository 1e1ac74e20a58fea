import type { RowReading } from '../core/model/result-object.ts';
import type { Space } from '../core/model/space.ts';
import type { Outcome } from '../core/model/vocabulary.ts';

/** What `embed` asks of the database. */
export interface EmbeddingStore {
  /**
   * Takes up the ids whose lease still names this dispatch and is not `announced`: stage `embedding`. Returns them; the others
   * were taken over, expired and sent again, or are done.
   */
  beginEmbedding(space: Space, dispatchId: string, ids: readonly string[]): Promise<string[]>;

  /**
   * One autocommit SELECT of text, version, xmin and the stamp `greatest(now(), stored read_at + 1 µs)`. Rows that are gone are
   * not in the answer. A column over `maxBytesPerColumn` is cut in SQL, before it is fetched, and says so.
   */
  readRows(space: Space, ids: readonly string[], maxBytesPerColumn: number): Promise<SourceReading[]>;

  /** Which of the hashes (hexadecimal) have a vector in the space, and which were refused and why. */
  lookUpHashes(
    space: Space,
    hashes: readonly string[],
  ): Promise<{ readonly embedded: ReadonlySet<string>; readonly refused: ReadonlyMap<string, string> }>;

  /**
   * Reserves a call before it is made, in one statement with a look at the pause reasons: where one forbids it, nothing is reserved and
   * the reason is the answer. What is granted and never settled by the ledger is reported as paid and lost.
   */
  grantCall(space: Space, grant: CallGrant): Promise<GrantRefusal | undefined>;
  /** A call that failed before anything was bought. */
  revokeGrant(callId: string): Promise<void>;

  /** Stage `announced`, expiry extended. Only leases of this dispatch. */
  markAnnounced(
    space: Space,
    dispatchId: string,
    ids: readonly string[],
    leaseSeconds: number,
  ): Promise<void>;
  /** Deletes the leases of rows that need nothing (fresh already, or gone). Only leases of this dispatch. */
  dropLeases(space: Space, dispatchId: string, ids: readonly string[]): Promise<void>;
  /** Gives rows back: stage `queued`, expiry after `afterSeconds`, and the attempt does not count. Only leases of this dispatch. */
  postponeLeases(
    space: Space,
    dispatchId: string,
    ids: readonly string[],
    afterSeconds: number,
  ): Promise<void>;
}

export interface SourceReading extends RowReading {
  /** One per text column of the source, in order; arrays joined with `, `; null where NULL. */
  readonly columns: readonly (string | null)[];
  /** In characters, of the uncut columns together. */
  readonly textLength: number;
  readonly cut: boolean;
  /** The outcome row as it stood, if there was one. */
  readonly stored: {
    readonly outcome: Outcome;
    readonly contentHash: string | null;
    readonly version: string | null;
    readonly xid: string | null;
    readonly keptLength: number;
    readonly tokens: number;
  } | null;
}

/** The pause, of the whole pipeline, the model or the source, that keeps a call from being made. */
export interface GrantRefusal {
  readonly scope: string;
  readonly reason: string;
}

export interface CallGrant {
  readonly callId: string;
  readonly spaceId: number;
  readonly modelAlias: string;
  readonly estimatedTokens: number;
  readonly estimatedCostUsd: number;
}
