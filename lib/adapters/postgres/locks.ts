import type pg from 'pg';
import type { TickLock } from '../../ports/detection-store.ts';
import {
  drawRunId,
  RUN_LOCK_CLASS,
  type RunLock,
  TICK_LOCK_CLASS,
  toDatabaseFailure,
} from '../sql/database.ts';
import type { ServerAccess } from './login.ts';
import { connectClient, endSession } from './sessions.ts';

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

/**
 * Milliseconds beyond `atMostMs` after which the server ends a session that says nothing.
 * The server's own clock decides, so a holder does not lose its lock before its time is over.
 */
const GRACE_MS = 5_000;

/**
 * Makes the lock that keeps two ticks of one name from running side by side.
 * Each tick opens a connection of its own and holds the lock in a transaction that does nothing
 * else, so the lock goes with the connection. A function that was frozen or lost its network leaves
 * a connection that the server would believe in for hours. The server therefore ends the connection
 * when the tick's time is over.
 */
export function createPostgresTickLock(connect: () => Promise<pg.Client>): TickLock {
  return {
    async tryAlone(name, atMostMs, work) {
      const client = await connect();
      try {
        if (!(await takeLock(client, name, atMostMs))) return undefined;
        return await work();
      } finally {
        // The end of the session rolls back and frees the lock.
        // A session that broke has freed the lock already.
        await endSession(client);
      }
    },
  };
}

async function takeLock(client: pg.Client, name: string, atMostMs: number): Promise<boolean> {
  try {
    await client.query('BEGIN');
    await client.query("SELECT pg_catalog.set_config('idle_in_transaction_session_timeout', $1, true)", [
      `${Math.ceil(atMostMs) + GRACE_MS}`,
    ]);
    const answer = await client.query<{ locked: boolean }>(
      'SELECT pg_catalog.pg_try_advisory_xact_lock($1::int, pg_catalog.hashtext($2)) AS locked',
      [TICK_LOCK_CLASS, name],
    );
    return answer.rows[0]?.locked === true;
  } catch (error) {
    throw toDatabaseFailure(error);
  }
}
