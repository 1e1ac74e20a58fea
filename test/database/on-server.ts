import pg from 'pg';

/** Runs one statement on a connection of its own. */
export async function onServer(connectionString: string, statement: string): Promise<void> {
  await withConnection(connectionString, client => client.query(statement));
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
