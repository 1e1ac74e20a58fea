import type { DatabaseConnection, Dialect, Driver } from 'kysely';
import { classifyDatabaseFailure } from '../../core/errors/classify-database-failure.ts';
import { FreshetError } from '../../core/errors/freshet-error.ts';
import { UsageError } from '../../core/errors/usage-error.ts';

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

/**
 * Turns what a driver rejected with into a `FreshetError`.
 * Errors that are already for people pass unchanged.
 */
export function toDatabaseFailure(error: unknown): Error {
  if (error instanceof FreshetError || error instanceof UsageError) return error;
  const code = codeOf(error) ?? codeOf((error as { cause?: unknown } | null)?.cause);
  // Every SQLSTATE holds a digit; `EPIPE` is as long and holds none.
  if (code !== undefined && /^(?=.*\d)[0-9A-Z]{5}$/.test(code))
    return classifyDatabaseFailure({ sqlState: code });
  return classifyDatabaseFailure({
    networkCode: code ?? (saysConnectionLost(error) ? 'CONNECTION_LOST' : undefined),
  });
}

function codeOf(error: unknown): string | undefined {
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
