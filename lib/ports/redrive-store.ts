import type { Space } from '../core/model/space.ts';
import type { LeasedRow, LeaseRequest } from './detection-store.ts';

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
