import { randomInt } from 'node:crypto';
import { type DatabaseConnection, type Dialect, type Driver, type Kysely, sql } from 'kysely';
import { FreshetError, UsageError } from '../../core/errors.ts';
import { classifyDatabaseFailure, describeSqlState } from '../../core/failures.ts';
import type { VectorStorage } from '../../core/model.ts';
import type { TickLock } from '../../ports/detection-store.ts';
import type { Clock } from '../../ports/process.ts';
import type { FreshetTables } from './freshet-tables.ts';

/**
 * A PostgreSQL with pgvector, embedded or real.
 * Sessions run in UTC with `search_path = pg_catalog, <schema of the vector extension>`; every
 * identifier is qualified and quoted. Rejections are `FreshetError`, classified from the SQLSTATE.
 */
export interface SqlDatabase {
  readonly engine: 'pglite' | 'postgres';
  /** How sentences name the database: `database "d" at host:5432`, `the embedded database in …`. */
  readonly displayName: string;
  readonly kysely: Kysely<FreshetTables>;
  /**
   * Resolves with the OID of `vector` or `halfvec`, which is the element OID in a binary array.
   * The OID differs between databases and is looked up once for each. A `Buffer` given as a
   * parameter is sent in binary on both engines.
   */
  vectorTypeOid(storage?: VectorStorage): Promise<number>;
  /**
   * Takes a session advisory lock of class `RUN_LOCK_CLASS` under a fresh run id.
   * On a server, the lock has a connection of its own. The lock goes when the process goes, however
   * the process ends. Leases of a run whose lock is free count as expired.
   */
  beginRun(): Promise<RunLock>;
  /**
   * Keeps ticks apart; undefined on the embedded database, which has one process only.
   * On a server, each tick takes a connection beside the pool.
   */
  readonly tickLock?: TickLock | undefined;
  /**
   * Runs statements that a person typed; only the embedded database has it.
   * @throws UsageError that says what the server said.
   */
  readonly runTyped?: (statements: string) => Promise<TypedResult>;
  close(): Promise<void>;
}

/** What the last of the typed statements gave. */
export interface TypedResult {
  readonly rows: readonly Readonly<Record<string, unknown>>[];
  readonly affectedRows: number;
}

/** The lock that shows to others that a local run lives. */
export interface RunLock {
  readonly runId: number;
  /**
   * Resolves when the connection that holds the lock is gone without `end`.
   * Others may then take over this run's leases.
   */
  readonly lost: Promise<void>;
  end(): Promise<void>;
}

/**
 * First key of the locks that local runs hold, which is `classid` in `pg_locks`.
 * `objid` is the run id. `objsubid` is 2, as for every lock with two keys.
 */
export const RUN_LOCK_CLASS = 1_179_796_562;

/** First key of the advisory locks of ticks; the second one is the hash of the tick's name. */
export const TICK_LOCK_CLASS = 1_179_800_139;

/** Draws a run id: a positive 4-byte integer, as `pg_advisory_lock(int, int)` takes it. */
export function drawRunId(): number {
  return randomInt(1, 2 ** 31 - 1);
}

/**
 * Puts a session into the state that every statement relies on.
 * Timestamps as text are in UTC and ISO, and the isolation is READ COMMITTED. The search path has
 * none of the application's schemas, so that only the operators of pgvector, and of citext where it
 * is installed, resolve unqualified: without its operators, citext is compared as text. Without
 * pgvector the path stays as it is. Time limits stay those of the role.
 *
 * Nothing is compiled (`jit`): the planner adds up the costs of sub-plans that are seldom run, and
 * compiling their expressions took half a second of a statement of a quarter (measured).
 */
export const SESSION_STATEMENT = `
  SELECT pg_catalog.set_config('TimeZone', 'UTC', false),
         pg_catalog.set_config('DateStyle', 'ISO, MDY', false),
         pg_catalog.set_config('default_transaction_isolation', 'read committed', false),
         pg_catalog.set_config('jit', 'off', false),
         (SELECT pg_catalog.set_config('search_path', path.names, false)
            FROM (SELECT 'pg_catalog, ' || pg_catalog.string_agg(
                           DISTINCT pg_catalog.quote_ident(n.nspname), ', ') AS names,
                         pg_catalog.bool_or(e.extname = 'vector') AS usable
                    FROM pg_catalog.pg_extension e JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace
                   WHERE e.extname IN ('vector', 'citext')) AS path
           WHERE path.usable)`;

/**
 * Reads the OIDs of `vector`, `halfvec` and their arrays, which differ between databases.
 * @throws UsageError where pgvector is not installed.
 */
export async function readVectorTypeOids(
  db: Kysely<FreshetTables>,
): Promise<Readonly<Record<'vector' | 'halfvec', { readonly element: number; readonly array: number }>>> {
  const { rows } = await sql<{ name: string; element: number; array: number }>`
    SELECT t.typname::text AS name, t.oid::int AS element, t.typarray::int AS "array"
      FROM pg_catalog.pg_extension e
      JOIN pg_catalog.pg_type t
        ON t.typname IN ('vector', 'halfvec') AND t.typnamespace = e.extnamespace
     WHERE e.extname = 'vector'`.execute(db);
  const [vector, halfvec] = ['vector', 'halfvec'].map(type => rows.find(({ name }) => name === type));
  if (vector === undefined || halfvec === undefined) {
    throw new UsageError('pgvector is not installed in this database.', 'CREATE EXTENSION vector;');
  }
  return { vector, halfvec };
}

/**
 * Ends a sentence about what a database lacks with a sentence that names the database.
 * Without a database URL the embedded database is asked, which is rarely where the table is.
 */
export function nameAsked({ engine, displayName }: Pick<SqlDatabase, 'engine' | 'displayName'>): string {
  const other = engine === 'pglite' ? '; DATABASE_URL or --database-url names another one' : '';
  return ` Asked was ${displayName}${other}.`;
}

/**
 * Tells whether dotted version `a` is older than `b`: "0.8" is older than "0.10.1".
 * A part that is not a number counts as 0.
 */
export function isOlderVersion(a: string, b: string): boolean {
  const left = a.split('.').map(part => Number.parseInt(part, 10) || 0);
  const right = b.split('.').map(part => Number.parseInt(part, 10) || 0);
  for (let place = 0; place < Math.max(left.length, right.length); place += 1) {
    const difference = (left[place] ?? 0) - (right[place] ?? 0);
    if (difference !== 0) return difference < 0;
  }
  return false;
}

/** Milliseconds to wait, longer than a dead connection takes to be found and replaced. */
const REACHABLE_MS = 3_000;

/**
 * Tells whether the database gives a connection within three seconds.
 * The database asks idle connections itself before it gives them, and replaces those that died
 * while the function was frozen. It cannot replace a connection that is taken by a statement for
 * which nobody waits any more.
 */
export async function isReachable({ kysely }: SqlDatabase, clock: Clock): Promise<boolean> {
  const taken = kysely
    .connection()
    .execute(async () => true)
    .catch(() => false);
  const decided = new AbortController();
  try {
    return await Promise.race([taken, clock.sleep(REACHABLE_MS, decided.signal).then(() => false)]);
  } finally {
    decided.abort('decided');
  }
}

/**
 * Wraps a dialect so that every rejection is a `FreshetError`.
 * The server's own message is dropped, and not kept as a cause, because it can quote a row ("Key
 * (title)=(…) already exists").
 */
export function classifyingDialect(dialect: Dialect): Dialect {
  return {
    createAdapter: () => dialect.createAdapter(),
    createIntrospector: db => dialect.createIntrospector(db),
    createQueryCompiler: () => dialect.createQueryCompiler(),
    createDriver: () => classifyingDriver(dialect.createDriver()),
  };
}

function classifyingDriver(driver: Driver): Driver {
  const seen = new WeakSet<DatabaseConnection>();
  const acquireConnection = driver.acquireConnection.bind(driver);
  driver.acquireConnection = async options => {
    const connection = await classified(() => acquireConnection(options));
    if (!seen.has(connection)) {
      seen.add(connection);
      const executeQuery = connection.executeQuery.bind(connection);
      connection.executeQuery = (query, queryOptions) => classified(() => executeQuery(query, queryOptions));
    }
    return connection;
  };
  const commitTransaction = driver.commitTransaction.bind(driver);
  driver.commitTransaction = connection => classified(() => commitTransaction(connection));
  return driver;
}

async function classified<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw toDatabaseFailure(error);
  }
}

/**
 * Turns what a driver rejected with into a `FreshetError`.
 * Errors that are already for people pass unchanged.
 */
export function toDatabaseFailure(error: unknown): Error {
  if (error instanceof FreshetError || error instanceof UsageError) return error;
  const code = readErrorCode(error) ?? readErrorCode((error as { cause?: unknown } | null)?.cause);
  if (describeSqlState(code) !== undefined) return classifyDatabaseFailure({ sqlState: code });
  return classifyDatabaseFailure({
    networkCode: code ?? (saysConnectionLost(error) ? 'CONNECTION_LOST' : undefined),
  });
}

/** Reads the SQLSTATE or Node's code of an error; undefined where the error has none. */
export function readErrorCode(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | null | undefined)?.code;
  return typeof code === 'string' ? code : undefined;
}

/**
 * Tells whether an error without a code means that the connection is lost.
 * `pg` gives no code to a connection that ended under a statement or could not be had in time.
 */
function saysConnectionLost(error: unknown): boolean {
  return error instanceof Error && /terminated|timeout|connection error|not queryable/i.test(error.message);
}
