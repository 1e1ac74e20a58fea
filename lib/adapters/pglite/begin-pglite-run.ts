import { type Kysely, sql } from 'kysely';
import { drawRunId } from '../sql/draw-run-id.ts';
import type { FreshetTables } from '../sql/freshet-tables.ts';
import { RUN_LOCK_CLASS, type RunLock } from '../sql/sql-database.ts';

/**
 * Takes the run lock in the one session of an embedded database.
 * The database runs inside the process, so the lock ends with the process and `lost` never
 * resolves.
 */
export async function beginPgliteRun(kysely: Kysely<FreshetTables>): Promise<RunLock> {
  const runId = drawRunId();
  await sql`SELECT pg_advisory_lock(${RUN_LOCK_CLASS}::int, ${runId}::int)`.execute(kysely);
  return {
    runId,
    lost: new Promise(() => {}),
    end: async () => {
      await sql`SELECT pg_advisory_unlock(${RUN_LOCK_CLASS}::int, ${runId}::int)`.execute(kysely);
    },
  };
}
