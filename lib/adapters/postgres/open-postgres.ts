import { Kysely, PostgresDialect } from 'kysely';
import pg from 'pg';
import { classifyingDialect } from '../sql/classifying-dialect.ts';
import type { FreshetTables } from '../sql/freshet-tables.ts';
import { readVectorTypeOids } from '../sql/read-vector-type-oids.ts';
import { SESSION_STATEMENT } from '../sql/session-statement.ts';
import type { SqlDatabase } from '../sql/sql-database.ts';
import { beginPostgresRun } from './begin-postgres-run.ts';
import { checkServer } from './check-server.ts';
import { connectClient } from './connect-client.ts';
import { createPostgresTickLock } from './postgres-tick-lock.ts';

/** Statements that nobody waits for any more have this long when the database is closed. */
const CLOSE_MS = 250;

import { nameStatements } from './name-statements.ts';

/**
 * Connects to a PostgreSQL ≥ 15 with pgvector ≥ 0.8.0; TLS as the connection string says (`sslmode=verify-full&sslrootcert=…`).
 * Rejects with `UsageError` where the person can mend it: unreachable, wrong password, unknown database, too old.
 */
export async function openPostgres(options: {
  readonly connectionString: string;
  readonly maxConnections: number;
  readonly applicationName?: string | undefined;
}): Promise<SqlDatabase> {
  const settings = {
    connectionString: options.connectionString,
    application_name: options.applicationName ?? 'freshet',
    connectionTimeoutMillis: 15_000,
    keepAlive: true,
  };
  await checkServer(settings);
  const pool = new pg.Pool({
    ...settings,
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
    client.on('error', () => {
      // A connection that breaks while a transaction waits between two statements has nobody else to tell: its next statement rejects.
    });
  });
  pool.on('error', () => {
    // An idle connection that the server closed is already out of the pool; the next statement opens another.
  });
  const kysely = new Kysely<FreshetTables>({
    dialect: classifyingDialect(new PostgresDialect({ pool })),
  });
  const oids = await readVectorTypeOids(kysely).catch(async error => {
    await kysely.destroy();
    throw error;
  });
  return {
    engine: 'postgres',
    kysely,
    vectorTypeOid: async () => oids.element,
    beginRun: () => beginPostgresRun(settings),
    tickLock: createPostgresTickLock(() => connectClient(settings)),
    close: async () => {
      // The pool waits for the statements that are left; one that waits for a lock would keep the process for ever.
      const timer = setTimeout(() => connected.forEach(breakOff), CLOSE_MS);
      await kysely.destroy().finally(() => clearTimeout(timer));
    },
  };
}

/** What the client was doing is rolled back. */
function breakOff(client: pg.PoolClient): void {
  (client as unknown as pg.Client).end().catch(() => {});
}
