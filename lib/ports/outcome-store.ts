import type { ResultObject } from '../core/model/result-object.ts';
import type { Space } from '../core/model/space.ts';

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
}
