import type { Lane, Outcome } from './vocabulary.ts';

/** Which reading of the source row an entry speaks of. All four are text as PostgreSQL prints them. */
export interface RowReading {
  readonly id: string;
  /** `updated_at::text`, null where the column is NULL. */
  readonly version: string | null;
  readonly xid: string;
  readonly readAt: string;
}

/** A row whose outcome is known now: embedded (with its vector), excluded, refused, too long or undelivered. */
export interface OutcomeEntry extends RowReading {
  readonly outcome: Outcome;
  /** SHA-256 in hexadecimal; null where no text was read. */
  readonly contentHash: string | null;
  readonly textLength: number;
  readonly keptLength: number;
  readonly tokens: number;
}

/** A row whose text another row of the space already paid for. It names the hash, never an item. */
export interface CopyEntry extends RowReading {
  readonly contentHash: string;
  readonly textLength: number;
  readonly keptLength: number;
}

/** A row whose prepared text did not change since its outcome was stored. */
export interface TouchEntry extends RowReading {
  readonly contentHash: string;
}

/** A text that the provider refused: detail for people, and what keeps it from being bought again. */
export interface Verdict {
  readonly contentHash: string;
  readonly failureClass: 'item';
  readonly code: string;
}

export interface LedgerEntry {
  /** Made before the call, UUID. */
  readonly callId: string;
  readonly modelAlias: string;
  readonly lane: Lane;
  readonly items: number;
  readonly uniqueTexts: number;
  readonly tokens: number;
  readonly costUsd: number;
  readonly latencyMs: number;
  /** `ok`, or the failure class and code of a call that gave no usable vectors. */
  readonly outcome: string;
  readonly requestId: string | null;
}

/** The object between `embed` and `write`: this header and the vectors of `outcomes`, aligned by position. */
export interface ResultObject {
  readonly spaceId: number;
  readonly dispatchId: string;
  readonly lane: Lane;
  readonly runId: number | null;
  readonly dimensions: number;
  readonly calls: readonly LedgerEntry[];
  readonly outcomes: readonly OutcomeEntry[];
  readonly copies: readonly CopyEntry[];
  readonly touches: readonly TouchEntry[];
  readonly verdicts: readonly Verdict[];
  /**
   * PostgreSQL binary `vector[]` with one element per entry of `outcomes`, NULL unless embedded. Its element OID is 0:
   * the writer sets that of its own database.
   */
  readonly vectors: Buffer;
}

/** A result before it is encoded: its vectors are still those that the provider gave, float32 little-endian, one per entry of `outcomes`, null unless embedded. */
export interface ComposedResult extends Omit<ResultObject, 'vectors'> {
  readonly vectors: readonly (Buffer | null)[];
}
