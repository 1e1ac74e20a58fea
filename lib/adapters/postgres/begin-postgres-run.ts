import type pg from 'pg';
import { toDatabaseFailure } from '../sql/classifying-dialect.ts';
import { drawRunId } from '../sql/draw-run-id.ts';
import { RUN_LOCK_CLASS, type RunLock } from '../sql/sql-database.ts';
import { connectClient } from './connect-client.ts';
import { endSession } from './end-session.ts';
import type { ServerAccess } from './server-access.ts';

/**
 * Takes a run's advisory lock on a connection that lives as long as the run.
 * The lock belongs to the session, so the connection is shared with nobody.
 */
export async function beginPostgresRun(access: ServerAccess): Promise<RunLock> {
  const client = await connectClient(access);
  let ended = false;
  const lost = new Promise<void>(resolve =>
    client.once('end', () => {
      if (!ended) resolve();
    }),
  );
  const end = async () => {
    ended = true;
    await endSession(client);
  };
  try {
    // A time limit of the role must not end this session, which is idle on purpose.
    await client.query("SELECT pg_catalog.set_config('idle_session_timeout', '0', false)");
    return { runId: await lockFreshRunId(client), lost, end };
  } catch (error) {
    await end();
    throw toDatabaseFailure(error);
  }
}

async function lockFreshRunId(client: pg.Client): Promise<number> {
  for (;;) {
    const runId = drawRunId();
    const answer = await client.query<{ locked: boolean }>(
      'SELECT pg_catalog.pg_try_advisory_lock($1::int, $2::int) AS locked',
      [RUN_LOCK_CLASS, runId],
    );
    if (answer.rows[0]?.locked === true) return runId;
  }
}
