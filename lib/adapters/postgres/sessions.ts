import type pg from 'pg';
import { UsageError } from '../../core/errors.ts';
import { toDatabaseFailure } from '../sql/database.ts';
import { explainConnectionFailure } from './explain-failure.ts';
import { accessByEndpoint, type PostgresEndpoint, type ServerAccess } from './login.ts';

/**
 * Connects a client outside the pool.
 * @throws UsageError where the server is given by its URL and a person can mend the failure.
 * @throws FreshetError for every other failure.
 */
export async function connectClient(access: ServerAccess): Promise<pg.Client> {
  return access.withLogin(async () => {
    const client = createClient(access);
    client.on('error', () => {
      // A connection that breaks rejects the statement that waits for it.
    });
    try {
      await client.connect();
      return client;
    } catch (error) {
      if (access.settings.connectionString === undefined) throw error;
      throw explainConnectionFailure(error, client);
    }
  });
}

function createClient({ Client, settings }: ServerAccess): pg.Client {
  try {
    return new Client(settings);
  } catch {
    throw new UsageError(
      'The database URL cannot be read, or a certificate file that it names is missing. Expected ' +
        'postgres://user:password@host:5432/database (percent-encode special characters in the ' +
        'password).',
    );
  }
}

/** A client that waits to be the first of a pool. */
interface FirstClient {
  /** Makes the pool's clients; the first is the one that waits. */
  readonly Client: typeof pg.Client;
  /** Ends the client where no pool took it. Never rejects. */
  end(): Promise<void>;
}

/**
 * Lets a pool begin with a client that is connected already.
 * A command asks the server one question before it opens a pool: a session for that alone costs
 * the server as much as dozens of its statements.
 */
export function beginWith(connected: pg.Client, { Client }: Pick<ServerAccess, 'Client'>): FirstClient {
  let waiting: pg.Client | undefined = connected;
  const take = (): pg.Client | undefined => {
    const taken = waiting;
    waiting = undefined;
    return taken;
  };
  // The pool connects each client that it made, and hears of it in a later turn.
  const hear = (heard: () => void) => process.nextTick(heard);
  connected.connect = hear as unknown as typeof connected.connect;
  function FirstOrNew(settings: pg.ClientConfig): pg.Client {
    return take() ?? new Client(settings);
  }
  return {
    Client: FirstOrNew as unknown as typeof pg.Client,
    end: async () => {
      const untaken = take();
      if (untaken !== undefined) await endSession(untaken);
    },
  };
}

/** Milliseconds to wait for the server; a server that is there closes within a few. */
const END_MS = 1_000;

/**
 * Ends a client outside the pool; never rejects.
 * A server that is gone is waited for no longer than a second. What the client held goes with its
 * session.
 */
export async function endSession(client: pg.Client): Promise<void> {
  const { stream } = (client as unknown as { connection: { stream: { destroy(): void } } }).connection;
  const timer = setTimeout(() => stream.destroy(), END_MS);
  await client
    .end()
    .catch(() => {})
    .finally(() => clearTimeout(timer));
}

/**
 * Creates pgvector in the database of an endpoint where it is missing. Idempotent.
 * This comes before the database is opened anywhere, because opening looks for the type `vector`.
 * @throws FreshetError where the connection fails or the server refuses the statement.
 */
export async function createVectorExtension(endpoint: PostgresEndpoint): Promise<void> {
  const client = await connectClient(await accessByEndpoint(endpoint));
  try {
    await client.query('CREATE EXTENSION IF NOT EXISTS vector');
  } catch (error) {
    throw toDatabaseFailure(error);
  } finally {
    await endSession(client);
  }
}
