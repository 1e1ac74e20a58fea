import type { ResultObject } from '../core/model/result-object.ts';
import type { Space } from '../core/model/space.ts';

/** What `write` asks of the database. */
export interface OutcomeStore {
  /**
   * One transaction: ledger first (an object whose calls are all there already changes nothing), then the guarded upsert, the
   * copies, the touches, the verdicts, then the leases of this dispatch: deleted where the source row is still the version that was
   * written, else expired at once. Rejects with `FreshetError` classified from the SQLSTATE.
   */
  writeResult(space: Space, result: ResultObject): Promise<WriteReport>;
  /**
   * The same for several objects in one transaction: all of them or none. Those that were written before change nothing; the report is of all
   * together, `repeated` where every one was. Rejects for what any of them would be rejected for.
   */
  writeResults(space: Space, results: readonly ResultObject[]): Promise<WriteReport>;
  /** For an object that is missing or corrupt: its rows' leases expire at once. Only leases of this dispatch. */
  expireLeases(space: Space, dispatchId: string, ids: readonly string[]): Promise<void>;
}

export interface WriteReport {
  /** The object had been written before. */
  readonly repeated: boolean;
  readonly embedded: number;
  readonly copied: number;
  readonly touched: number;
  readonly excluded: number;
  readonly failed: number;
  /** Entries that a newer reading, a deletion or a vanished hash overtook; their rows are dispatched again. */
  readonly overtaken: number;
}
