import type { OutcomeStore } from '../../../ports/outcome-store.ts';
import { nameSourceFault } from '../detection/name-source-fault.ts';
import type { SqlDatabase } from '../sql-database.ts';
import { expireLeases } from './expire-leases.ts';
import { writeResults } from './write-results.ts';

export function createOutcomeStore(db: SqlDatabase): OutcomeStore {
  return {
    writeResult: (space, result) => nameSourceFault(db, space, () => writeResults(db, space, [result])),
    writeResults: (space, results) => nameSourceFault(db, space, () => writeResults(db, space, results)),
    expireLeases: (space, dispatchId, ids) => expireLeases(db, space, dispatchId, ids),
  };
}
