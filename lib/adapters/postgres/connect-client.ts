import pg from 'pg';
import { UsageError } from '../../core/errors/usage-error.ts';
import { toDatabaseFailure } from '../sql/classifying-dialect.ts';
import { explainConnectionFailure } from './explain-connection-failure.ts';

/** A connected client outside the pool. Rejects with `UsageError` where the person can mend it. */
export async function connectClient(settings: pg.ClientConfig): Promise<pg.Client> {
  const client = createClient(settings);
  client.on('error', () => {
    // A connection that breaks rejects the statement that waits for it.
  });
  try {
    await client.connect();
    return client;
  } catch (error) {
    throw explainConnectionFailure(error, client) ?? toDatabaseFailure(error);
  }
}

function createClient(settings: pg.ClientConfig): pg.Client {
  try {
    return new pg.Client(settings);
  } catch {
    throw new UsageError(
      'The database URL cannot be read, or a certificate file that it names is missing. Expected postgres://user:password@host:5432/database (percent-encode special characters in the password).',
    );
  }
}
