import { Kysely, PostgresDialect } from 'kysely';
import pg from 'pg';
import type { TickLock } from '../../ports/detection-store.ts';
import {
  classifyingDialect,
  drawRunId,
  RUN_LOCK_CLASS,
  type RunLock,
  SESSION_STATEMENT,
  type SqlDatabase,
  toDatabaseFailure,
} from '../sql/database.ts';
import type { FreshetTables } from '../sql/freshet-tables.ts';
import { nameStatements, sendBuffersUncopied } from './bind.ts';
import type { PostgresEndpoint } from './explain-failure.ts';
import { accessByEndpoint, accessByUrl, type ServerAccess } from './login.ts';
import { checkServer, connectClient, endSession } from './sessions.ts';

/**
 * Takes a run's advisory lock on a connection that lives as long as the run.
 * The lock belongs to the session, so the connection is shared with nobody.
 */
async function beginPostgresRun(access: ServerAccess): Promise<RunLock> {
  const client = await connectClient(access);
  let ended = false;
  const lost = new Promise<void>(resolve =>
    client.once('end', () => {
      if (!ended) resolve();
    }),
  );
  const end = async () => {
    ended = true;
    await endSession(client);
  };
  try {
    // A time limit of the role must not end this session, which is idle on purpose.
    await client.query("SELECT pg_catalog.set_config('idle_session_timeout', '0', false)");
    return { runId: await lockFreshRunId(client), lost, end };
  } catch (error) {
    await end();
    throw toDatabaseFailure(error);
  }
}

async function lockFreshRunId(client: pg.Client): Promise<number> {
  for (;;) {
    const runId = drawRunId();
    const answer = await client.query<{ locked: boolean }>(
      'SELECT pg_catalog.pg_try_advisory_lock($1::int, $2::int) AS locked',
      [RUN_LOCK_CLASS, runId],
    );
    if (answer.rows[0]?.locked === true) return runId;
  }
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

/** First key of the advisory locks of ticks; the second one is the hash of the tick's name. */
const TICK_LOCK_CLASS = 1_179_800_139;

/**
 * Milliseconds beyond `atMostMs` after which the server ends a session that says nothing.
 * The server's own clock decides, so a holder does not lose its lock before its time is over.
 */
const GRACE_MS = 5_000;

/**
 * Makes the lock that keeps two ticks of one name from running side by side.
 * Each tick opens a connection of its own and holds the lock in a transaction that does nothing
 * else, so the lock goes with the connection. A function that was frozen or lost its network leaves
 * a connection that the server would believe in for hours. The server therefore ends the connection
 * when the tick's time is over.
 */
function createPostgresTickLock(connect: () => Promise<pg.Client>): TickLock {
  return {
    async tryAlone(name, atMostMs, work) {
      const client = await connect();
      try {
        if (!(await takeLock(client, name, atMostMs))) return undefined;
        return await work();
      } finally {
        // The end of the session rolls back and frees the lock.
        // A session that broke has freed the lock already.
        await endSession(client);
      }
    },
  };
}

async function takeLock(client: pg.Client, name: string, atMostMs: number): Promise<boolean> {
  try {
    await client.query('BEGIN');
    await client.query("SELECT pg_catalog.set_config('idle_in_transaction_session_timeout', $1, true)", [
      `${Math.ceil(atMostMs) + GRACE_MS}`,
    ]);
    const answer = await client.query<{ locked: boolean }>(
      'SELECT pg_catalog.pg_try_advisory_xact_lock($1::int, pg_catalog.hashtext($2)) AS locked',
      [TICK_LOCK_CLASS, name],
    );
    return answer.rows[0]?.locked === true;
  } catch (error) {
    throw toDatabaseFailure(error);
  }
}

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
