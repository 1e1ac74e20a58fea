import type { OutcomeStore } from '../../../ports/outcome-store.ts';
import { nameSourceFault } from '../detection/name-source-fault.ts';
import type { SqlDatabase } from '../sql-database.ts';
import { expireLeases } from './expire-leases.ts';
import { writeResult } from './write-result.ts';

export function createOutcomeStore(db: SqlDatabase): OutcomeStore {
  return {
    writeResult: (space, result) => nameSourceFault(db, space, () => writeResult(db, space, result)),
    expireLeases: (space, dispatchId, ids) => expireLeases(db, space, dispatchId, ids),
  };
}
