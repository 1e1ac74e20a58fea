import type { ReportStore } from '../../../ports/report-store.ts';
import type { SqlDatabase } from '../sql-database.ts';
import { countHeldElsewhere } from './count-held-elsewhere.ts';
import { readCoverage } from './read-coverage.ts';
import { readFailures } from './read-failures.ts';
import { readLedger } from './read-ledger.ts';
import { retryFailures } from './retry-failures.ts';
import { searchSpace } from './search-space.ts';

export function createReportStore(db: SqlDatabase): ReportStore {
  return {
    readCoverage: space => readCoverage(db, space),
    countHeldElsewhere: (space, runId) => countHeldElsewhere(db, space, runId),
    readFailures: (space, exampleLimit) => readFailures(db, space, exampleLimit),
    retryFailures: (space, filter) => retryFailures(db, space, filter),
    readLedger: space => readLedger(db, space),
    search: (space, queryVector, limit) => searchSpace(db, space, queryVector, limit),
  };
}
