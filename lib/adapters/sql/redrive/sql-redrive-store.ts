import type { RedriveStore } from '../../../ports/redrive-store.ts';
import type { SqlDatabase } from '../sql-database.ts';
import { findStaleRows } from './find-stale-rows.ts';
import { leaseNamedRows } from './lease-named-rows.ts';

export function createRedriveStore(db: SqlDatabase): RedriveStore {
  return {
    findStaleRows: (space, ids) => findStaleRows(db, space, ids),
    leaseNamedRows: (space, request) => leaseNamedRows(db, space, request),
  };
}
