import { sql } from 'kysely';
import type { Space } from '../../../core/model/space.ts';
import type { SqlDatabase } from '../sql-database.ts';
import { readCoverage } from './read-coverage.ts';

/**
 * Reads the coverage of the space, 0 to 100, within a time limit.
 * @throws FreshetError where the database takes longer than `timeoutMs`.
 */
export async function readCoveragePercent(db: SqlDatabase, space: Space, timeoutMs: number): Promise<number> {
  return db.kysely.transaction().execute(async transaction => {
    await sql`SELECT set_config('statement_timeout', ${String(Math.ceil(timeoutMs))}, true)`.execute(
      transaction,
    );
    const { coveragePercent } = await readCoverage({ ...db, kysely: transaction }, space);
    return coveragePercent;
  });
}
