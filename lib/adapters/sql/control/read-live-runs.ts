import { sql } from 'kysely';
import { liveRuns } from '../live-lease.ts';
import type { SqlDatabase } from '../sql-database.ts';

/** Reads the ids of the local runs that work on this database now, from whatever machine. */
export async function readLiveRuns(db: SqlDatabase): Promise<number[]> {
  const { rows } = await sql<{ runId: number }>`
    SELECT live.id AS "runId" FROM (${liveRuns()}) AS live (id) ORDER BY live.id`.execute(db.kysely);
  return rows.map(({ runId }) => runId);
}
