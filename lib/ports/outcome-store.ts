import type { Outcome, Space } from '../core/model.ts';
import type { ResultObject, RowReading } from '../core/result-object.ts';

/**
 * What `embed` asks of the database.
 * A method that takes a `dispatchId` changes only leases of that dispatch.
 * @throws FreshetError from every method, classified from the SQLSTATE.
 */
export interface EmbeddingStore {
  /**
   * Takes up rows for embedding: their leases go to stage `embedding`. Returns the ids.
   * Only rows are taken whose lease still names this dispatch and is not `announced`. The other ids
   * were taken over by somebody else, expired and were sent again, or are done.
   */
  beginEmbedding(space: Space, dispatchId: string, ids: readonly string[]): Promise<string[]>;

  /**
   * Reads the texts with version, `xmin` and the stamp `readAt`, in one autocommit SELECT.
   * The stamp is `greatest(now(), stored read_at + 1 µs)`. Rows that are gone are not in the
   * answer. A column over `maxBytesPerColumn` bytes is cut in SQL before the fetch, and the reading
   * says so in `cut`. Where the texts of one row cannot be read, the others are, and the reading of
   * that row has no columns and says so in `unreadable`. A key that stands twice has several
   * readings.
   */
  readRows(space: Space, ids: readonly string[], maxBytesPerColumn: number): Promise<SourceReading[]>;

  /**
   * Which of the ids stand in several rows, counted from the table itself and not by an index.
   * An index that is broken hides a row from every look-up by key. The statement reads the whole
   * table: it is for ids that were found stale and read fresh.
   */
  findDoubledKeys(space: Space, ids: readonly string[]): Promise<string[]>;

  /**
   * Which of the hashes have a vector in the space, and which were refused.
   * Hashes are hexadecimal. `refused` maps a hash to the code of its refusal.
   */
  lookUpHashes(
    space: Space,
    hashes: readonly string[],
  ): Promise<{ readonly embedded: ReadonlySet<string>; readonly refused: ReadonlyMap<string, string> }>;

  /**
   * Reserves a provider call before it is made, unless a pause reason forbids the call.
   * One statement looks at the pause reasons and reserves. When a pause forbids the call, nothing
   * is reserved and the reason is the answer. A call that was granted and that the ledger never
   * settles is reported as paid and lost.
   */
  grantCall(space: Space, grant: CallGrant): Promise<GrantRefusal | undefined>;
  /**
   * Corrects what a grant reserves by what its call was billed, right after the answer.
   * A call that the ledger holds already stays as it is. Absent where no cap asks what is open.
   */
  readonly noteBill?: ((callId: string, costUsd: number) => Promise<void>) | undefined;
  /** Takes back the grant of a call that failed before anything was bought. */
  revokeGrant(callId: string): Promise<void>;

  /** Marks rows whose result is announced: stage `announced`, expiry `leaseSeconds` from now. */
  markAnnounced(
    space: Space,
    dispatchId: string,
    ids: readonly string[],
    leaseSeconds: number,
  ): Promise<void>;
  /** Deletes the leases of rows that need nothing, because they are fresh already or gone. */
  dropLeases(space: Space, dispatchId: string, ids: readonly string[]): Promise<void>;
  /**
   * Gives rows back: stage `queued`, expiry after `afterSeconds`. The attempt does not count.
   * Leases in stage `announced` stay as they are: their rows are the writer's.
   */
  postponeLeases(
    space: Space,
    dispatchId: string,
    ids: readonly string[],
    afterSeconds: number,
  ): Promise<void>;
}

export interface SourceReading extends RowReading {
  /**
   * One text per text column of the source, in order; null where the column is NULL.
   * The elements of an array column are joined with `, `.
   */
  readonly columns: readonly (string | null)[];
  /** Characters of all columns together, before they were cut. */
  readonly textLength: number;
  /** True: at least one column was over `maxBytesPerColumn` and is shortened here. */
  readonly cut: boolean;
  /** The failure code of texts that the database cannot read; absent: they were read. */
  readonly unreadable?: string | undefined;
  /** The outcome row as it stood; null where there was none. */
  readonly stored: {
    readonly outcome: Outcome;
    readonly contentHash: string | null;
    readonly version: string | null;
    readonly xid: string | null;
    readonly keptLength: number;
    readonly tokens: number;
  } | null;
}

/**
 * The pause that keeps a call from being made.
 * Its scope is the whole pipeline, the model or the source.
 */
export interface GrantRefusal {
  readonly scope: string;
  readonly reason: string;
}

/** Who makes a call, for which rows: what tells an open grant from a lost one. */
export interface GrantHolder {
  /** The local run; null: a Lambda, which ends within 15 minutes. */
  readonly runId: number | null;
  readonly dispatchId: string;
  readonly ids: readonly string[];
}

export interface CallGrant {
  /** Undefined: the call is for no row, as a probe is. */
  readonly holder?: GrantHolder | undefined;
  readonly callId: string;
  readonly spaceId: number;
  readonly modelAlias: string;
  readonly estimatedTokens: number;
  readonly estimatedCostUsd: number;
}

/**
 * What `write` asks of the database.
 * @throws FreshetError from every method, classified from the SQLSTATE.
 */
export interface OutcomeStore {
  /**
   * Writes one result object in one transaction.
   * The transaction writes the ledger first: an object whose calls are all in the ledger already
   * changes nothing. Then come the guarded upsert, the copies, the touches and the verdicts, and
   * last the leases of this dispatch. A lease is deleted where the source row still has the version
   * that was written; every other lease expires at once.
   * A row whose outcome the database refuses gets the outcome `undelivered:sqlstate_…` in its
   * place; the other rows are written as they were meant.
   */
  writeResult(space: Space, result: ResultObject): Promise<WriteReport>;
  /**
   * Writes several result objects of a space in one transaction: all of them or none.
   * An object that was written before changes nothing. The report is of all objects together;
   * `repeated` says that every object was written before.
   * @throws FreshetError for whatever any single object would be rejected for.
   */
  writeResults(space: Space, results: readonly ResultObject[]): Promise<WriteReport>;
  /**
   * Expires the leases of rows whose result object is missing or corrupt, at once.
   * Only leases of this dispatch change.
   */
  expireLeases(space: Space, dispatchId: string, ids: readonly string[]): Promise<void>;
  /** Whether the ledger has all of these calls: what they bought was written then. */
  areRecorded(callIds: readonly string[]): Promise<boolean>;
}

export interface WriteReport {
  /** True: the object had been written before. */
  readonly repeated: boolean;
  /** Rows whose bought vector was written. */
  readonly embedded: number;
  /** Rows that got the vector of an equal text. */
  readonly copied: number;
  /** Rows whose prepared text did not change. */
  readonly touched: number;
  readonly excluded: number;
  readonly failed: number;
  /**
   * Entries that were not written because something overtook them.
   * A newer reading, a deletion or a vanished hash overtakes an entry. The rows of these entries
   * are dispatched again.
   */
  readonly overtaken: number;
  /**
   * Rows whose outcome the database refused to store; they count among `failed`.
   * Absent: it refused none.
   */
  readonly refused?: readonly RefusedRow[] | undefined;
}

/** A row that the database refused, with the outcome that stands in place of the one meant. */
export interface RefusedRow {
  readonly id: string;
  readonly outcome: Outcome;
}
