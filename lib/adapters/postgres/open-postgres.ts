import { Kysely, PostgresDialect } from 'kysely';
import pg from 'pg';
import { classifyingDialect } from '../sql/classifying-dialect.ts';
import type { FreshetTables } from '../sql/freshet-tables.ts';
import { SESSION_STATEMENT } from '../sql/session-statement.ts';
import type { SqlDatabase } from '../sql/sql-database.ts';
import { beginPostgresRun } from './begin-postgres-run.ts';
import { checkServer } from './check-server.ts';
import { connectClient } from './connect-client.ts';
import { discardDeadConnections } from './discard-dead-connections.ts';
import { endSession } from './end-session.ts';
import { nameStatements } from './name-statements.ts';
import type { PostgresEndpoint } from './postgres-endpoint.ts';
import { createPostgresTickLock } from './postgres-tick-lock.ts';
import { sendBuffersUncopied } from './send-buffers-uncopied.ts';
import { accessByEndpoint, accessByUrl, type ServerAccess } from './server-access.ts';

/** Milliseconds that statements have at the close, when nobody waits for them any more. */
const CLOSE_MS = 250;

type OpenOptions = { readonly maxConnections: number; readonly applicationName?: string | undefined } & (
  | { readonly connectionString: string }
  | { readonly endpoint: PostgresEndpoint }
);

/**
 * Connects to a PostgreSQL ≥ 15 with pgvector ≥ 0.8.0.
 * By a connection string, TLS is as the string says (`sslmode=verify-full&sslrootcert=…`). By an
 * endpoint, TLS is verify-full.
 * @throws UsageError where the server is too old or has no pgvector, and, by a connection string,
 * for a failure to connect that the person can mend.
 * @throws FreshetError for every other failure to connect.
 */
export async function openPostgres(options: OpenOptions): Promise<SqlDatabase> {
  const access = await createAccess(options);
  const checked = 'connectionString' in options ? await checkByItself(access) : undefined;
  const pool = new pg.Pool({
    ...access.settings,
    // The pool gives each client its own settings; the types say that a client takes none.
    Client: access.Client as unknown as new () => pg.ClientBase,
    max: options.maxConnections,
    onConnect: async client => {
      await client.query(SESSION_STATEMENT);
    },
  });
  const connected = new Set<pg.PoolClient>();
  pool.on('remove', client => connected.delete(client));
  pool.on('connect', client => {
    connected.add(client);
    nameStatements(client);
    sendBuffersUncopied((client as unknown as pg.Client).connection);
    client.on('error', () => {
      // A connection can break while a transaction waits between two statements.
      // Nobody else needs to be told then: the transaction's next statement rejects.
    });
  });
  pool.on('error', () => {
    // An idle connection that the server closed is already out of the pool.
    // The next statement opens another connection.
  });
  const connect = () => access.connecting(() => pool.connect());
  const connecting = {
    connect: 'endpoint' in options ? discardDeadConnections(pool, connect) : connect,
    end: () => pool.end(),
    options: pool.options,
  };
  const kysely = new Kysely<FreshetTables>({
    dialect: classifyingDialect(new PostgresDialect({ pool: connecting })),
  });
  const vectorTypeOid = checked ?? (await checkInPool(connecting));
  return {
    engine: 'postgres',
    kysely,
    vectorTypeOid: async () => vectorTypeOid,
    beginRun: () => beginPostgresRun(access),
    tickLock: createPostgresTickLock(() => connectClient(access)),
    close: async () => {
      // The pool waits for the statements that are left.
      // A statement that waits for a lock would keep the process for ever.
      const timer = setTimeout(() => connected.forEach(breakOff), CLOSE_MS);
      await kysely.destroy().finally(() => clearTimeout(timer));
    },
  };
}

async function createAccess(options: OpenOptions): Promise<ServerAccess> {
  const access =
    'endpoint' in options ? await accessByEndpoint(options.endpoint) : accessByUrl(options.connectionString);
  const settings = {
    ...access.settings,
    application_name: options.applicationName ?? 'freshet',
    connectionTimeoutMillis: 15_000,
    keepAlive: true,
  };
  return { ...access, settings };
}

/**
 * Checks the server on a connection before the pool exists.
 * Failures of this connection are explained to a person.
 */
async function checkByItself(access: ServerAccess): Promise<number> {
  const client = await connectClient(access);
  return checkServer(client).finally(() => endSession(client));
}

/**
 * Checks the server on the first connection of the pool, which stays in the pool.
 * A deployed function has no connection to spare, so it starts without an additional one.
 */
async function checkInPool(pool: {
  connect(): Promise<pg.PoolClient>;
  end(): Promise<void>;
}): Promise<number> {
  try {
    const client = await pool.connect();
    return await checkServer(client as unknown as pg.Client).finally(() => client.release());
  } catch (error) {
    await pool.end().catch(() => {});
    throw error;
  }
}

/** Closes the connection; the server rolls back what the client was doing. */
function breakOff(client: pg.PoolClient): void {
  (client as unknown as pg.Client).end().catch(() => {});
}
