import pg from 'pg';

/** Runs one statement on a connection of its own. */
export async function onServer(connectionString: string, statement: string): Promise<void> {
  await withConnection(connectionString, client => client.query(statement));
}

/**
 * Makes a pool whose connections may break unheard.
 * It ends before the last of them is closed. A database that is dropped then breaks it off, which
 * nobody listens to any more: an error of the whole test run.
 */
export function openPool(options: pg.PoolConfig): pg.Pool {
  const pool = new pg.Pool(options);
  pool.on('error', () => undefined);
  pool.on('connect', client => client.on('error', () => undefined));
  return pool;
}

/** Opens one connection for the length of `use`, and resolves with what `use` does. */
export async function withConnection<Result>(
  connectionString: string,
  use: (client: pg.Client) => Promise<Result>,
): Promise<Result> {
  const client = new pg.Client({ connectionString });
  await client.connect();
  try {
    return await use(client);
  } finally {
    await client.end();
  }
}
