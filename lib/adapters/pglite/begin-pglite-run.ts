import { type Kysely, sql } from 'kysely';
import { drawRunId } from '../sql/draw-run-id.ts';
import type { FreshetTables } from '../sql/freshet-tables.ts';
import { RUN_LOCK_CLASS, type RunLock } from '../sql/sql-database.ts';

/** The one session of an embedded database holds the lock; it goes with the process. */
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
