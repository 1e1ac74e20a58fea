import type pg from 'pg';
import { UsageError } from '../../core/errors/usage-error.ts';
import { toDatabaseFailure } from '../sql/classifying-dialect.ts';
import { explainConnectionFailure } from './explain-connection-failure.ts';
import type { ServerAccess } from './server-access.ts';

/**
 * Connects a client outside the pool.
 * @throws UsageError where the server is given by its URL and a person can mend the failure.
 * @throws FreshetError for every other failure.
 */
export async function connectClient(access: ServerAccess): Promise<pg.Client> {
  return access.connecting(async () => {
    const client = createClient(access);
    client.on('error', () => {
      // A connection that breaks rejects the statement that waits for it.
    });
    try {
      await client.connect();
      return client;
    } catch (error) {
      if (access.settings.connectionString === undefined) throw error;
      throw explainConnectionFailure(error, client) ?? toDatabaseFailure(error);
    }
  });
}

function createClient({ Client, settings }: ServerAccess): pg.Client {
  try {
    return new Client(settings);
  } catch {
    throw new UsageError(
      'The database URL cannot be read, or a certificate file that it names is missing. Expected postgres://user:password@host:5432/database (percent-encode special characters in the password).',
    );
  }
}
