import { sql } from 'kysely';
import type { PipelineConfig, SourceConfig } from '../../core/config/pipeline-config.ts';
import { FreshetError, LOCKED, UsageError } from '../../core/errors.ts';
import type { ResolvedSource } from '../../core/model.ts';
import { isOlderVersion, nameAsked, type SqlDatabase } from './database.ts';
import { mayBeOfOneRow } from './divide-rows.ts';
import { inspectKeys } from './doctor-keys.ts';
import { describeLock } from './doctor-locks.ts';
import { inspectRole } from './doctor-role.ts';
import { type DoctorFinding, inspectSource } from './doctor-sources.ts';
import { inspectVectors } from './doctor-vectors.ts';
import { quoteName } from './fragments.ts';
import { findMissingSchemaRights, NEEDED_VERSION } from './migrations/migrate.ts';
import {
  compareSchema,
  describeIncompatible,
  MIGRATE_COMMAND,
  readSchemaVersion,
  type SchemaVersion,
} from './migrations/schema-version.ts';
import { inspectReplacement } from './replaced-spaces.ts';
import { resolveSource } from './resolve-source.ts';
import { inspectSearch } from './searched-source.ts';

/**
 * Collects everything that `freshet doctor` says of the database, and writes nothing.
 * A source that cannot be read does not hide the findings of the others. `countAllKeys`: doubled
 * keys are looked for in tables of any size.
 */
export async function inspectDatabase(
  db: SqlDatabase,
  config: PipelineConfig,
  countAllKeys = false,
): Promise<readonly DoctorFinding[]> {
  const missing = await findMissingSchemaRights(db, 'write');
  const version = missing === undefined ? await readSchemaVersion(db.kysely) : undefined;
  const schema = version === undefined ? describeMissingRights(missing!) : inspectSchema(db, version);
  const findings = [
    ...(await inspectServer(db)),
    ...(await inspectRole(db, config)),
    schema,
    ...(await inspectTransactions(db)),
  ];
  for (const sourceConfig of config.sources) {
    const source = await resolveOrExplain(db, sourceConfig);
    if ('check' in source) {
      findings.push(source);
      continue;
    }
    findings.push(...(await inspectSource(db, source)));
    try {
      findings.push(...(await inspectKeys(db, source, countAllKeys)));
      if (version === undefined || version.version === 0) continue;
      findings.push(
        ...(await inspectReplacement(db, config, sourceConfig, source)),
        ...(await inspectVectors(db, source)),
        ...(await inspectSearch(db, source, sourceConfig.search, config.database.viewSchema)),
      );
    } catch (error) {
      if (error instanceof FreshetError && error.code === LOCKED)
        findings.push(await describeLock(db, source, (version?.version ?? 0) > 0));
      else if (mayBeOfOneRow(error)) findings.push(describeRaising(source, error.code));
      else throw error;
    }
  }
  return findings;
}

/** Says that the rows of a source cannot be listed, as of a view whose key raises. */
function describeRaising({ name, schema, table, keyColumns }: ResolvedSource, code: string): DoctorFinding {
  const keys = keyColumns.map(column => quoteName(column.name)).join(', ');
  return {
    check: 'rows',
    ok: false,
    severity: 'error',
    message:
      `Source "${name}": listing its rows fails (${code}): its key, or what the view reads, raises for a ` +
      `row at least. No row of it is embedded until SELECT ${keys} FROM ${quoteName(schema, table)} ` +
      'answers; the other sources go on.',
  };
}

/**
 * Oldest pgvector without a known fault of its HNSW indexes.
 * pgvector's changelog: parallel HNSW builds overflow before 0.8.2; vacuum can corrupt an HNSW
 * index before 0.8.3 and fail on one before 0.8.4.
 */
const ADVISED_PGVECTOR = '0.8.4';

/** Reports the versions of PostgreSQL and pgvector. */
async function inspectServer(db: SqlDatabase): Promise<readonly DoctorFinding[]> {
  const found = await sql<{ server: string; vector: string }>`
    SELECT current_setting('server_version') AS server, e.extversion AS vector
      FROM pg_extension e WHERE e.extname = 'vector'`.execute(db.kysely);
  const row = found.rows[0];
  if (row === undefined) {
    return [
      {
        check: 'pgvector',
        ok: false,
        severity: 'error',
        message: 'pgvector is not installed in this database.',
        statement: 'CREATE EXTENSION vector;',
      },
    ];
  }
  const old = isOlderVersion(row.vector, ADVISED_PGVECTOR);
  return [
    {
      check: 'server',
      ok: true,
      severity: 'info',
      message: `PostgreSQL ${row.server}${db.engine === 'pglite' ? ', embedded' : ''}.`,
    },
    {
      check: 'pgvector',
      ok: !old,
      severity: old ? 'warning' : 'info',
      message: old
        ? `pgvector ${row.vector} works, but ${ADVISED_PGVECTOR} or newer is advised. Upgrade the ` +
          "server's package, then run the statement."
        : `pgvector ${row.vector}.`,
      ...(old ? { statement: 'ALTER EXTENSION vector UPDATE;' } : {}),
    },
  ];
}

function inspectSchema(db: SqlDatabase, schema: SchemaVersion): DoctorFinding {
  const { version } = schema;
  const standing = compareSchema(schema, NEEDED_VERSION);
  const ok = standing === 'same' || standing === 'compatible';
  return {
    check: 'schema',
    ok,
    severity: ok ? 'info' : 'error',
    message: version === 0 ? `There is no schema freshet yet.${nameAsked(db)}` : sentences[standing](schema),
    ...(standing === 'older' ? { statement: MIGRATE_COMMAND } : {}),
  };
}

/** What the doctor says of a schema, by how the schema stands to this code. */
const sentences: Readonly<Record<ReturnType<typeof compareSchema>, (schema: SchemaVersion) => string>> = {
  older: ({ version }) => `Schema freshet has version ${version}; this Freshet needs ${NEEDED_VERSION}.`,
  same: ({ version }) => `Schema freshet has version ${version}.`,
  compatible: ({ version }) =>
    `Schema freshet has version ${version}, which a newer Freshet made; this one, of version ` +
    `${NEEDED_VERSION}, may run on it.`,
  incompatible: schema => describeIncompatible(schema, NEEDED_VERSION),
};

function describeMissingRights({ message, remedy }: UsageError): DoctorFinding {
  return { check: 'schema', ok: false, severity: 'error', message, statement: remedy };
}

/**
 * Reports whether other sessions' transactions can be seen and which ones hold up detection.
 * The incremental pass must not step over a row that one of these transactions commits late.
 */
async function inspectTransactions(db: SqlDatabase): Promise<readonly DoctorFinding[]> {
  const found = await sql<{
    role: string;
    sees: boolean;
    tracked: boolean;
    prepared: number;
    oldest: number;
  }>`
    SELECT current_user::text AS role,
           pg_has_role(current_user, 'pg_read_all_stats', 'USAGE') AS sees,
           current_setting('track_activities')::boolean AS tracked,
           (SELECT count(*)::int FROM pg_prepared_xacts WHERE database = current_database()) AS prepared,
           (SELECT coalesce(max(extract(epoch FROM now() - xact_start)), 0)::float8 FROM pg_stat_activity
             WHERE datname = current_database() AND pid <> pg_backend_pid()) AS oldest`.execute(db.kysely);
  const row = found.rows[0];
  if (row === undefined) return [];
  return [describeVisibility(row), describePrepared(row.prepared), describeOldest(row.oldest)];
}

function describeVisibility(row: { role: string; sees: boolean; tracked: boolean }): DoctorFinding {
  if (row.sees && row.tracked) {
    return {
      check: 'transactions',
      ok: true,
      severity: 'info',
      message: 'Open transactions of other sessions can be seen.',
    };
  }
  return {
    check: 'transactions',
    ok: false,
    severity: 'warning',
    message:
      'Open transactions of other sessions cannot be seen: each incremental pass looks 15 minutes ' +
      'back, and a transaction that stays open for longer is left to the reconcile pass.',
    statement: row.sees
      ? 'ALTER SYSTEM SET track_activities = on; SELECT pg_reload_conf();'
      : `GRANT pg_read_all_stats TO ${quoteName(row.role)};`,
  };
}

function describePrepared(count: number): DoctorFinding {
  return {
    check: 'prepared-transactions',
    ok: count === 0,
    severity: count === 0 ? 'info' : 'warning',
    message:
      count === 0
        ? 'No prepared transaction is open.'
        : `${count} prepared transactions are open: while one is, the watermark of the incremental pass ` +
          'stands still. Commit or roll back those that nobody will finish.',
    ...(count === 0 ? {} : { statement: 'SELECT gid, prepared, owner FROM pg_prepared_xacts;' }),
  };
}

/**
 * Reports a transaction that is open for half an hour, far longer than any ordinary one.
 * The incremental pass re-reads all that changed since the oldest transaction began.
 */
function describeOldest(seconds: number): DoctorFinding {
  const ok = seconds < 1800;
  return {
    check: 'oldest-transaction',
    ok,
    severity: ok ? 'info' : 'warning',
    message: ok
      ? 'No transaction is open for over 30 minutes.'
      : `A transaction is open for ${Math.floor(seconds / 60)} minutes: until it ends, each incremental ` +
        'pass reads everything that changed since it began.',
    ...(ok
      ? {}
      : {
          statement:
            'SELECT pid, usename, application_name, xact_start FROM pg_stat_activity ' +
            'ORDER BY xact_start LIMIT 1;',
        }),
  };
}

async function resolveOrExplain(
  db: SqlDatabase,
  sourceConfig: SourceConfig,
): Promise<ResolvedSource | DoctorFinding> {
  try {
    return await resolveSource(db, sourceConfig);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    return {
      check: 'source',
      ok: false,
      severity: 'error',
      message: error.message,
      statement: error.remedy,
    };
  }
}
