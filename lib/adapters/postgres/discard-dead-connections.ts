import type pg from 'pg';

/** Idle longer than this, a connection is asked before it is used. Between two statements of one invocation passes far less. */
const TRUSTED_IDLE_MS = 1_000;

/** A server that is there answers within milliseconds. */
const ANSWER_MS = 1_000;

/**
 * Takes connections from a pool. A function that was frozen wakes up with connections that may have died meanwhile; a statement on such
 * a one would wait for minutes, and with a pool of one so would all after it.
 */
export function discardDeadConnections(
  pool: pg.Pool,
  take: () => Promise<pg.PoolClient>,
): () => Promise<pg.PoolClient> {
  const releasedAtMs = new WeakMap<pg.PoolClient, number>();
  pool.on('release', (_, client) => releasedAtMs.set(client, Date.now()));
  const isTrusted = (client: pg.PoolClient) => {
    const since = releasedAtMs.get(client);
    return since === undefined || Math.abs(Date.now() - since) < TRUSTED_IDLE_MS;
  };
  return async () => {
    for (;;) {
      const client = await take();
      // A new one has just answered.
      if (isTrusted(client) || (await answers(client))) return client;
      client.release(true);
    }
  };
}

async function answers(client: pg.PoolClient): Promise<boolean> {
  const question: pg.QueryConfig & { query_timeout: number } = { text: 'SELECT 1', query_timeout: ANSWER_MS };
  return client.query(question).then(
    () => true,
    () => false,
  );
}
