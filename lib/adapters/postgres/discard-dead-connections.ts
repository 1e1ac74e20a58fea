import type pg from 'pg';

/**
 * Milliseconds of idleness after which a connection is asked before it is used.
 * Far less passes between two statements of one invocation.
 */
const TRUSTED_IDLE_MS = 1_000;

/** Milliseconds to wait for the answer; a server that is there answers within a few. */
const ANSWER_MS = 1_000;

/**
 * Takes connections from a pool and discards those that died while they were idle.
 * A function that was frozen wakes up with connections that may have died meanwhile. A statement on
 * a dead connection would wait for minutes, and with a pool of one connection all statements after
 * it would wait too.
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
      // A connection that was never released is new, and has just answered.
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
