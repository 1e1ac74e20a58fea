import type { Lane, Outcome, VectorStorage } from './model.ts';
import { encodeVectorArray, splitVectorArray } from './vectors.ts';

/**
 * The reading of the source row that an entry belongs to.
 * All four fields are text as PostgreSQL prints them.
 */
export interface RowReading {
  readonly id: string;
  /** `updated_at::text`, or null where the column is NULL. */
  readonly version: string | null;
  readonly xid: string;
  readonly readAt: string;
}

/**
 * A row whose outcome is known now.
 * The row is embedded (with its vector), excluded, refused, too long or undelivered.
 */
export interface OutcomeEntry extends RowReading {
  readonly outcome: Outcome;
  /** SHA-256 in hexadecimal, or null where no text was read. */
  readonly contentHash: string | null;
  /** UTF-16 units of the prepared text, or PostgreSQL's characters where reading cut it. */
  readonly textLength: number;
  /** UTF-16 units of the text that were embedded; 0 without a vector. */
  readonly keptLength: number;
  readonly tokens: number;
}

/**
 * A row whose text was already paid for by another row of the space.
 * The entry names the content hash, never another row.
 */
export interface CopyEntry extends RowReading {
  readonly contentHash: string;
  readonly textLength: number;
  readonly keptLength: number;
}

/** A row whose prepared text has not changed since its outcome was stored. */
export interface TouchEntry extends RowReading {
  readonly contentHash: string;
}

/**
 * A text that the provider refused.
 * The verdict tells people the code, and keeps the text from being bought again.
 */
export interface Verdict {
  readonly contentHash: string;
  readonly failureClass: 'item';
  readonly code: string;
}

/** One call of a provider, as the ledger keeps it. */
export interface LedgerEntry {
  /** UUID that is drawn before the call. */
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

/**
 * The object that `embed` stores for `write`: entries, and the vectors of `outcomes`.
 * The vectors are aligned with `outcomes` by position.
 */
export interface ResultObject {
  readonly spaceId: number;
  readonly dispatchId: string;
  readonly lane: Lane;
  readonly runId: number | null;
  readonly dimensions: number;
  readonly storage?: VectorStorage;
  readonly calls: readonly LedgerEntry[];
  readonly outcomes: readonly OutcomeEntry[];
  readonly copies: readonly CopyEntry[];
  readonly touches: readonly TouchEntry[];
  readonly verdicts: readonly Verdict[];
  /**
   * PostgreSQL's binary `vector[]` or `halfvec[]` with one element per entry of `outcomes`.
   * An element is NULL unless its row is embedded. The element OID is 0: the writer sets that of
   * its own database.
   */
  readonly vectors: Buffer;
}

/** Splits a result into one for each of its entries. The verdicts are in none of them. */
export function splitByRow(result: ResultObject): ResultObject[] {
  const noRows = { ...result, outcomes: [], copies: [], touches: [], verdicts: [] };
  const noVectors = encodeVectorArray([], result.dimensions);
  const vectors = splitVectorArray(result.vectors);
  return [
    ...result.outcomes.map((outcome, place) => ({
      ...noRows,
      outcomes: [outcome],
      vectors: vectors[place] ?? noVectors,
    })),
    ...result.copies.map(copy => ({ ...noRows, copies: [copy], vectors: noVectors })),
    ...result.touches.map(touch => ({ ...noRows, touches: [touch], vectors: noVectors })),
  ];
}

/**
 * A result before it is encoded, with the vectors as the provider gave them.
 * Each vector is float32, or float16 for `halfvec`, little-endian. There is one per entry of
 * `outcomes`, null unless embedded.
 */
export interface ComposedResult extends Omit<ResultObject, 'vectors'> {
  readonly vectors: readonly (Buffer | null)[];
}

/** The prefix of every result object. The rights of the functions end at that prefix. */
export const CLAIMS_PREFIX = 'claims/';

/**
 * Composes the key of a result object.
 * `identifier` belongs to one attempt, so that no two attempts write the same object.
 */
export function composeResultKey(spaceId: number, dispatchId: string, identifier: string): string {
  return `${CLAIMS_PREFIX}${spaceId}/${dispatchId}/${identifier}`;
}

/** Characters that every store can name, without `..`: no key leads out of a folder. */
const KEY_BEHIND_PREFIX = /^(?!.*\.\.)[A-Za-z0-9._/=-]{1,504}$/;

/**
 * Whether an object key has the form of our own keys.
 * A key that comes with a message is trusted only if it has.
 */
export function isResultKey(key: string): boolean {
  return key.startsWith(CLAIMS_PREFIX) && KEY_BEHIND_PREFIX.test(key.slice(CLAIMS_PREFIX.length));
}
