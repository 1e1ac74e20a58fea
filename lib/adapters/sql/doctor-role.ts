import { sql } from 'kysely';
import type { PipelineConfig } from '../../core/config/pipeline-config.ts';
import type { SqlDatabase } from './database.ts';
import type { DoctorFinding } from './doctor-sources.ts';
import { quoteName } from './fragments.ts';

interface RoleFacts {
  readonly role: string;
  readonly database: string;
  readonly standby: boolean;
  readonly readOnly: boolean;
  /** May make schemas in this database. */
  readonly creates: boolean;
  /** Schemas that a run needs and that are not there. */
  readonly missing: string | null;
  /** Milliseconds, 0 for no limit; null where this PostgreSQL has no such setting. */
  readonly statementMs: number;
  readonly idleMs: number;
  readonly transactionMs: number | null;
  /** Connections that each limit leaves, beside the one that asks; null for no limit. */
  readonly freeOfRole: number | null;
  readonly freeOfDatabase: number | null;
  readonly freeOfServer: number;
}

/** Reports what stops the role itself, whatever the source: no writes, no schema, limits. */
export async function inspectRole(
  db: SqlDatabase,
  config: PipelineConfig,
): Promise<readonly DoctorFinding[]> {
  const schemas = JSON.stringify(['freshet', config.database.viewSchema]);
  const { rows } = await sql<RoleFacts>`
    WITH settings AS (SELECT name, setting FROM pg_settings),
         others AS (SELECT usename, datname FROM pg_stat_activity
                     WHERE backend_type = 'client backend' AND pid <> pg_backend_pid())
    SELECT current_user::text AS role, current_database()::text AS database,
           pg_is_in_recovery() AS standby,
           current_setting('default_transaction_read_only')::boolean AS "readOnly",
           has_database_privilege(current_database(), 'CREATE') AS creates,
           (SELECT string_agg(name, ' and ') FROM json_array_elements_text(${schemas}::json) AS needed (name)
             WHERE NOT EXISTS (SELECT FROM pg_namespace WHERE nspname = name)) AS missing,
           (SELECT setting::int FROM settings WHERE name = 'statement_timeout') AS "statementMs",
           (SELECT setting::int FROM settings WHERE name = 'idle_in_transaction_session_timeout') AS "idleMs",
           (SELECT setting::int FROM settings WHERE name = 'transaction_timeout') AS "transactionMs",
           (SELECT rolconnlimit - (SELECT count(*) FROM others WHERE usename = rolname)::int
              FROM pg_roles WHERE rolname = current_user AND rolconnlimit >= 0) AS "freeOfRole",
           (SELECT datconnlimit - (SELECT count(*) FROM others WHERE datname = current_database())::int
              FROM pg_database WHERE datname = current_database() AND datconnlimit >= 0) AS "freeOfDatabase",
           (SELECT sum(CASE name WHEN 'max_connections' THEN setting::int ELSE -setting::int END)
              FROM settings WHERE name IN ('max_connections', 'superuser_reserved_connections',
                                           'reserved_connections'))::int
             - (SELECT count(*) FROM others)::int AS "freeOfServer"`.execute(db.kysely);
  const facts = rows[0];
  if (facts === undefined) return [];
  return [
    describeWrites(facts),
    describeSchemas(facts),
    describeTimeLimits(facts),
    // The embedded database has one connection, which all share.
    ...(db.engine === 'pglite'
      ? []
      : [describeConnections(facts, config.limits.concurrency + BESIDE_WORKERS)]),
  ];
}

function describeWrites({ standby, readOnly, role, database }: RoleFacts): DoctorFinding {
  const check = 'writes';
  if (standby) {
    const message = 'This server is a standby, which takes no writes: name the primary server.';
    return { check, ok: false, severity: 'error', message };
  }
  if (!readOnly) return { check, ok: true, severity: 'info', message: 'The database takes writes.' };
  return {
    check,
    ok: false,
    severity: 'error',
    message: 'default_transaction_read_only is on in sessions of this role: nothing can be written.',
    statement:
      `ALTER ROLE ${quoteName(role)} IN DATABASE ${quoteName(database)} ` +
      'SET default_transaction_read_only = off;',
  };
}

function describeSchemas({ missing, creates, role, database }: RoleFacts): DoctorFinding {
  const check = 'creation';
  if (missing === null || creates) {
    const message =
      missing === null ? 'The schemas are there.' : `The role may make what is missing: schema ${missing}.`;
    return { check, ok: true, severity: 'info', message };
  }
  return {
    check,
    ok: false,
    severity: 'error',
    message: `Role ${quoteName(role)} may not make schema ${missing}, which is not there.`,
    statement: `GRANT CREATE ON DATABASE ${quoteName(database)} TO ${quoteName(role)};`,
  };
}

/** Milliseconds that a pass, a write or a migration of a large table may take. */
const LEAST_MS = 30_000;

function describeTimeLimits(facts: RoleFacts): DoctorFinding {
  const limits = [
    ['statement_timeout', facts.statementMs],
    ['transaction_timeout', facts.transactionMs ?? 0],
    ['idle_in_transaction_session_timeout', facts.idleMs],
  ] as const;
  const short = limits.filter(([, ms]) => ms > 0 && ms < LEAST_MS);
  const check = 'time-limits';
  if (short.length === 0) {
    const message = `No time limit of the role is below ${LEAST_MS / 1000} s.`;
    return { check, ok: true, severity: 'info', message };
  }
  const found = short.map(([name, ms]) => `${name} is ${ms} ms`).join(', ');
  const role = `ALTER ROLE ${quoteName(facts.role)} IN DATABASE ${quoteName(facts.database)}`;
  return {
    check,
    ok: false,
    severity: 'warning',
    message:
      `${found} in sessions of this role: passes over a large table are cancelled (57014, 25P03, 25P04). ` +
      `${LEAST_MS / 1000} s or more is advised.`,
    statement: short.map(([name]) => `${role} SET ${name} = '1min';`).join('\n'),
  };
}

/** Connections of a run beside one for each worker: two more of its pool, and that of its lock. */
const BESIDE_WORKERS = 3;

function describeConnections(facts: RoleFacts, needed: number): DoctorFinding {
  const check = 'connections';
  const limits = [
    {
      free: facts.freeOfRole,
      of: `CONNECTION LIMIT of role ${quoteName(facts.role)}`,
      statement: `ALTER ROLE ${quoteName(facts.role)} CONNECTION LIMIT -1;`,
    },
    {
      free: facts.freeOfDatabase,
      of: `CONNECTION LIMIT of database ${quoteName(facts.database)}`,
      statement: `ALTER DATABASE ${quoteName(facts.database)} CONNECTION LIMIT -1;`,
    },
    { free: facts.freeOfServer, of: 'max_connections of the server', statement: undefined },
  ];
  // The connection that asks is free again when a run starts.
  const short = limits.find(({ free }) => free !== null && free < needed);
  if (short === undefined) {
    const message = `A run takes up to ${needed} connections; as many are free.`;
    return { check, ok: true, severity: 'info', message };
  }
  return {
    check,
    ok: false,
    severity: 'warning',
    message:
      `A run takes up to ${needed} connections (limits.concurrency + ${BESIDE_WORKERS}), and ` +
      `${short.of} leaves ${Math.max(0, short.free ?? 0)}: lower limits.concurrency, or raise the limit.`,
    statement: short.statement,
  };
}
