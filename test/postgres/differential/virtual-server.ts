import { Kysely, PostgresDialect, sql } from 'kysely';
import pg from 'pg';
import {
  classifyingDialect,
  RUN_LOCK_CLASS,
  SESSION_STATEMENT,
  type SqlDatabase,
} from '../../../lib/adapters/sql/database.ts';
import type { FreshetTables } from '../../../lib/adapters/sql/freshet-tables.ts';
import { openPool } from '../../database/on-server.ts';
import { printTimestamp } from '../../twin/timestamps.ts';

/**
 * `now()` of schema `twin` stands before that of `pg_catalog` in the search path, and a view of `pg_stat_activity` shows when the
 * application's transactions began by the same clock: the statements are the product's own, the time is the test's.
 */
const VIRTUAL_TIME = `
  CREATE SCHEMA twin;
  CREATE TABLE twin.transactions (pid int PRIMARY KEY, started timestamptz NOT NULL);
  CREATE FUNCTION twin.now() RETURNS timestamptz LANGUAGE sql STABLE
    AS $$ SELECT pg_catalog.current_setting('twin.now')::timestamptz $$;
  CREATE VIEW twin.activity AS
    SELECT a.datid, a.datname, a.usesysid, a.pid, a.query, a.state, t.started AS xact_start
      FROM pg_catalog.pg_stat_activity a LEFT JOIN twin.transactions t ON t.pid = a.pid;
  ALTER TABLE freshet.leases ALTER first_seen SET DEFAULT twin.now();
  ALTER TABLE freshet.control ALTER since SET DEFAULT twin.now();
  ALTER TABLE freshet.ledger ALTER recorded_at SET DEFAULT twin.now();
  ALTER TABLE freshet.query_ledger ALTER recorded_at SET DEFAULT twin.now();
  ALTER TABLE freshet.grants ALTER granted_at SET DEFAULT twin.now();`;

/** A history's commits need not survive the server; waiting for the disk would be most of its time. */
const NOTHING_TO_KEEP = 'SET synchronous_commit = off';

export interface VirtualServer {
  readonly db: SqlDatabase;
  setNow(micros: number): Promise<void>;
  vacuum(): Promise<void>;
  /** A session of the application. */
  openSession(): Promise<ApplicationSession>;
  close(): Promise<void>;
}

export interface ApplicationSession {
  /** BEGIN, and what it changes; the real transaction id. */
  begin(startedAt: number, statements: readonly string[]): Promise<number>;
  end(command: 'COMMIT' | 'ROLLBACK'): Promise<void>;
  close(): Promise<void>;
}

/** `migrated` has schema `freshet`; everything here happens in its database, on one connection for the product. */
export async function openVirtualServer(
  migrated: SqlDatabase,
  connectionString: string,
): Promise<VirtualServer> {
  await sql.raw(VIRTUAL_TIME).execute(migrated.kysely);
  const pool = openPool({
    connectionString,
    max: 1,
    idleTimeoutMillis: 0,
    onConnect: async client => {
      await client.query(SESSION_STATEMENT);
      await client.query(NOTHING_TO_KEEP);
      await client.query(
        `SELECT set_config('search_path', 'twin, ' || current_setting('search_path'), false)`,
      );
      showVirtualActivity(client as pg.PoolClient);
    },
  });
  const kysely = new Kysely<FreshetTables>({ dialect: classifyingDialect(new PostgresDialect({ pool })) });
  const db: SqlDatabase = { ...migrated, kysely };
  return {
    db,
    setNow: async micros => {
      await sql`SELECT set_config('twin.now', ${printTimestamp(micros)}, false)`.execute(kysely);
    },
    vacuum: async () => {
      await sql`VACUUM`.execute(kysely);
    },
    openSession: () => openSession(connectionString),
    close: async () => {
      await kysely.destroy();
    },
  };
}

/** Every statement is kept prepared: histories repeat the same few, and planning them is most of the server's work. */
function showVirtualActivity(client: pg.PoolClient): void {
  const query = client.query.bind(client) as (...args: unknown[]) => unknown;
  const names = new Map<string, { readonly name: string; readonly text: string }>();
  const prepare = (text: string) => {
    const known = names.get(text);
    if (known) return known;
    const shown = text.replaceAll('pg_catalog.pg_stat_activity', 'twin.activity');
    const statement = { name: `twin_${names.size}`, text: shown };
    names.set(text, statement);
    return statement;
  };
  client.query = ((first: unknown, ...rest: unknown[]) =>
    typeof first === 'string' && Array.isArray(rest[0]) && !first.includes(';')
      ? query({ ...prepare(first), values: rest[0] })
      : query(first, ...rest)) as typeof client.query;
}

/** The id of a local run that lives throughout: the sessions hold its lock. */
export const LIVE_RUN = 8;

async function openSession(connectionString: string): Promise<ApplicationSession> {
  const client = new pg.Client({ connectionString });
  await client.connect();
  await client.query(NOTHING_TO_KEEP);
  await client.query(`SELECT pg_advisory_lock_shared(${RUN_LOCK_CLASS}, ${LIVE_RUN})`);
  const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
  const pid = rows[0]?.pid ?? 0;
  return {
    async begin(startedAt, statements) {
      // COMMIT shows the first statement to all; what follows BEGIN stays the session's own.
      const text = [
        `INSERT INTO twin.transactions VALUES (${pid}, '${printTimestamp(startedAt)}')`,
        ...['COMMIT', 'BEGIN', ...statements, 'SELECT pg_current_xact_id()::xid::text AS xid'],
      ].join(';\n');
      const results = (await client.query(text)) as unknown as pg.QueryResult<{ xid: string }>[];
      return Number(results.at(-1)?.rows[0]?.xid);
    },
    async end(command) {
      await client.query(`${command}; DELETE FROM twin.transactions WHERE pid = ${pid}`);
    },
    close: () => client.end(),
  };
}
