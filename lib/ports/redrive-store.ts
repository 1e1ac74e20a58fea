import type { Space } from '../core/model/space.ts';
import type { LeasedRow, LeaseRequest } from './detection-store.ts';

/** What a selective redrive asks of the database. */
export interface RedriveStore {
  /** Those of the ids whose row is there and stale, by version or `xmin`. Rejects with class `item` where an id is no key of the source. */
  findStaleRows(space: Space, ids: readonly string[]): Promise<readonly StaleRow[]>;
  /** Leases those of the ids that are stale and whose lease is free, as `detect` does. At most `limit`. */
  leaseNamedRows(
    space: Space,
    request: LeaseRequest & { readonly ids: readonly string[] },
  ): Promise<readonly LeasedRow[]>;
}

export interface StaleRow {
  readonly id: string;
  /** The stored outcome of an earlier version; null where there is none. */
  readonly outcome: string | null;
  /** The dispatch whose live lease the row has; null where it is free. */
  readonly heldBy: string | null;
}
