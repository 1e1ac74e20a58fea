import { Kysely, PostgresDialect } from 'kysely';
import pg from 'pg';
import {
  classifyingDialect,
  readVectorTypeOids,
  SESSION_STATEMENT,
  type SqlDatabase,
} from '../sql/database.ts';
import type { FreshetTables } from '../sql/freshet-tables.ts';
import { createSystemClock } from '../system.ts';
import { type CheckedServer, checkServer } from './check-server.ts';
import { growPatiently } from './grow-pool.ts';
import { beginPostgresRun, createPostgresTickLock } from './locks.ts';
import { accessByEndpoint, accessByUrl, type PostgresEndpoint, type ServerAccess } from './login.ts';
import { nameStatements, sendBuffersUncopied } from './send-statements.ts';
import { beginWith, connectClient, endSession } from './sessions.ts';

/** Milliseconds that statements have at the close, when nobody waits for them any more. */
const CLOSE_MS = 250;

/**
 * Milliseconds after which the server ends a session that says nothing, and one in a transaction.
 *
 * An environment of a function that ends, or runs out of time in the middle of a transaction, does
 * not say goodbye: the server would count its connection, and keep its locks, until TCP gives up,
 * which takes hours. A frozen environment that is woken later opens another connection. Ten minutes
 * are longer than the five between two ticks, so a function that ticks keeps its connection. No
 * function is idle in a transaction for longer than it takes to pack a batch.
 */
const IDLE_MS = { idle_session_timeout: 600_000, idle_in_transaction_session_timeout: 60_000 };

/**
 * Prepares the session of a deployed function.
 * Limits of the role that are shorter stay. A server without such a limit is left without. Behind a
 * pooler neither is set: the pooler has limits of its own, and its reaction to a session that the
 * server ends is its own too.
 */
const DEPLOYED_SESSION = [
  SESSION_STATEMENT,
  ...Object.entries(IDLE_MS).map(
    ([name, ms]) => `
  SELECT pg_catalog.set_config(name, '${ms}', false) FROM pg_catalog.pg_settings
   WHERE name = '${name}' AND setting::int NOT BETWEEN 1 AND ${ms}`,
  ),
].join(';');

type OpenOptions = {
  readonly maxConnections: number;
  readonly applicationName?: string | undefined;
  /** How long a statement waits for a lock; undefined: as the server or the role has it. */
  readonly lockTimeoutMs?: number | undefined;
} & ({ readonly connectionString: string } | { readonly endpoint: PostgresEndpoint });

/**
 * Connects to a PostgreSQL ≥ 15 with pgvector ≥ 0.8.0.
 * By a connection string, TLS is as the string says (`sslmode=verify-full&sslrootcert=…`), and the
 * server is checked before the pool exists, on the connection that becomes its first. By an
 * endpoint, TLS is verify-full.
 * @throws UsageError where the server is too old, has no pgvector or is a pooler that shares its
 * sessions, and, by a connection string, for a failure to connect that the person can mend.
 * @throws FreshetError for every other failure to connect.
 */
export async function openPostgres(options: OpenOptions): Promise<SqlDatabase> {
  const access = await createAccess(options);
  const check = (client: pg.Client) =>
    checkServer({ client, connect: () => connectClient(access), connections: options.maxConnections });
  const client = 'connectionString' in options ? await connectClient(access) : undefined;
  let checked = client && (await check(client).catch(error => endThenThrow(client, error)));
  const first = client && beginWith(client, access);
  const pool = new pg.Pool({
    ...access.settings,
    // The pool gives each client its own settings; the types say that a client takes none.
    Client: (first ?? access).Client as unknown as new () => pg.ClientBase,
    max: options.maxConnections,
    onConnect: async client => {
      // Nothing is set on a connection before the server is known to keep it apart.
      checked ??= await check(client as unknown as pg.Client);
      await client.query('endpoint' in options && !checked.isPooled ? DEPLOYED_SESSION : SESSION_STATEMENT);
      if (options.lockTimeoutMs !== undefined)
        await client.query(`SET lock_timeout = ${Math.ceil(options.lockTimeoutMs)}`);
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
  const connect = growPatiently(pool, createSystemClock(), () => access.withLogin(() => pool.connect()));
  const facade = {
    connect: 'endpoint' in options ? discardDeadConnections(pool, connect) : connect,
    end: () => pool.end(),
    options: pool.options,
  };
  const kysely = new Kysely<FreshetTables>({
    dialect: classifyingDialect(new PostgresDialect({ pool: facade })),
  });
  const { vectorTypeOid, displayName } = checked ?? (await checkInPool(facade, () => checked));
  let halfTypeOid: number | undefined;
  // Few configurations ask for it: opening a database takes no statement more.
  const readHalfTypeOid = async () => {
    halfTypeOid ??= (await readVectorTypeOids(kysely)).halfvec.element;
    return halfTypeOid;
  };
  return {
    engine: 'postgres',
    displayName,
    kysely,
    vectorTypeOid: async storage => (storage === undefined ? vectorTypeOid : readHalfTypeOid()),
    beginRun: () => beginPostgresRun(access),
    tickLock: createPostgresTickLock(() => connectClient(access)),
    close: async () => {
      // The pool waits for the statements that are left.
      // A statement that waits for a lock would keep the process for ever.
      const timer = setTimeout(() => connected.forEach(breakOff), CLOSE_MS);
      await kysely.destroy().finally(() => clearTimeout(timer));
      await first?.end();
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

/** Ends the connection on which the server was checked in vain. */
async function endThenThrow(client: pg.Client, error: unknown): Promise<never> {
  await endSession(client);
  throw error;
}

/**
 * Has the pool open its first connection, which checks the server and stays in the pool.
 * A deployed function has no connection to spare, so it starts without an additional one.
 */
async function checkInPool(
  pool: { connect(): Promise<pg.PoolClient>; end(): Promise<void> },
  read: () => CheckedServer | undefined,
): Promise<CheckedServer> {
  try {
    (await pool.connect()).release();
    return read()!;
  } catch (error) {
    await pool.end().catch(() => {});
    throw error;
  }
}

/** Closes the connection; the server rolls back what the client was doing. */
function breakOff(client: pg.PoolClient): void {
  (client as unknown as pg.Client).end().catch(() => {});
}

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
function discardDeadConnections(
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
      if (isTrusted(client) || (await isAlive(client))) return client;
      client.release(true);
    }
  };
}

async function isAlive(client: pg.PoolClient): Promise<boolean> {
  const question: pg.QueryConfig & { query_timeout: number } = { text: 'SELECT 1', query_timeout: ANSWER_MS };
  return client.query(question).then(
    () => true,
    () => false,
  );
}
