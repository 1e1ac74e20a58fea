import type pg from 'pg';
import { UsageError } from '../../core/errors.ts';
import { isOlderVersion, toDatabaseFailure } from '../sql/database.ts';
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
      throw explainConnectionFailure(error, client) ?? toDatabaseFailure(error);
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

/** Oldest pgvector whose binary format, casts and index behaviour this code was run against. */
const OLDEST_PGVECTOR = '0.8.0';

interface ServerFacts {
  readonly server: number;
  readonly database: string;
  /** Version of pgvector; null where pgvector is not installed. */
  readonly vector: string | null;
  readonly vectorTypeOid: number | null;
}

/**
 * Checks the server's versions in one round trip; resolves with the OID of type `vector`.
 * @throws UsageError where PostgreSQL is older than 15, or pgvector is missing or older than 0.8.0.
 * @throws FreshetError where the server cannot be asked.
 */
export async function checkServer(client: pg.Client): Promise<number> {
  try {
    const answer = await client.query<ServerFacts>(
      `SELECT current_setting('server_version_num')::int AS server, current_database() AS database,
              e.extversion AS vector, t.oid::int AS "vectorTypeOid"
         FROM (VALUES (1)) AS one (line)
         LEFT JOIN pg_catalog.pg_extension AS e ON e.extname = 'vector'
         LEFT JOIN pg_catalog.pg_type AS t ON t.typname = 'vector' AND t.typnamespace = e.extnamespace`,
    );
    return checkFacts(`PostgreSQL at ${client.host}:${client.port}`, answer.rows[0]!);
  } catch (error) {
    throw toDatabaseFailure(error);
  }
}

function checkFacts(subject: string, found: ServerFacts): number {
  if (found.server < 150_000) {
    throw new UsageError(
      `${subject} is version ${Math.floor(found.server / 10_000)}; Freshet needs PostgreSQL 15 or ` +
        'newer. Upgrade the server, or name another one in the database URL.',
    );
  }
  if (found.vector === null || found.vectorTypeOid === null) {
    throw new UsageError(
      `${subject}: pgvector is not installed in database "${found.database}". Install the server's ` +
        'pgvector package (0.8.0 or newer), then run the statement below in that database as its owner.',
      'CREATE EXTENSION vector;',
    );
  }
  if (isOlderVersion(found.vector, OLDEST_PGVECTOR)) {
    throw new UsageError(
      `${subject}: pgvector ${found.vector} in database "${found.database}" is too old; Freshet needs ` +
        `${OLDEST_PGVECTOR} or newer. Upgrade the server's pgvector package, then run the statement ` +
        'below.',
      'ALTER EXTENSION vector UPDATE;',
    );
  }
  return found.vectorTypeOid;
}
