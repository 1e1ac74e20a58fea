import { type Kysely, sql, type Transaction } from 'kysely';
import { FreshetError, UsageError } from '../../../core/errors.ts';
import type { SqlDatabase } from '../database.ts';
import { quoteName } from '../fragments.ts';
import type { FreshetTables } from '../freshet-tables.ts';
import { migration0001Schema } from './0001.ts';
import { migration0002GoldenVectors } from './0002.ts';
import { migration0003Schedules } from './0003.ts';
import { migration0004Versions } from './0004.ts';
import { migration0005Paces } from './0005.ts';
import { migration0006Relations } from './0006.ts';
import { migration0007Waiting } from './0007.ts';
import { migration0008Estimates } from './0008.ts';
import { migration0009Batches } from './0009.ts';
import { migration0010OutcomeIndexes } from './0010.ts';
import { migration0011Rates } from './0011.ts';
import { migration0012Spending } from './0012.ts';
import { migration0013Documents } from './0013.ts';
import { migration0014Queries } from './0014.ts';
import { migration0015Necessary } from './0015.ts';
import { migration0016OneIndex } from './0016.ts';
import { readSchemaVersion, refuseIncompatible } from './schema-version.ts';

interface Migration {
  readonly version: number;
  /**
   * The oldest version whose code may run on a schema that has this migration.
   * A migration that only adds what older code need not know keeps the number of the migration
   * before it. One that takes away or changes what older code reads or writes has its own version.
   */
  readonly compatibleFrom: number;
  readonly name: string;
  readonly statements: readonly string[];
}

/**
 * Every migration in the order of its version.
 * A migration that was released is never changed.
 */
export const MIGRATIONS: readonly Migration[] = [
  migration0001Schema,
  migration0002GoldenVectors,
  migration0003Schedules,
  migration0004Versions,
  migration0005Paces,
  migration0006Relations,
  migration0007Waiting,
  migration0008Estimates,
  migration0009Batches,
  migration0010OutcomeIndexes,
  migration0011Rates,
  migration0012Spending,
  migration0013Documents,
  migration0014Queries,
  migration0015Necessary,
  migration0016OneIndex,
];

/** The version of schema `freshet` that this code needs, by which it is known to the schema. */
export const NEEDED_VERSION = versionOf(MIGRATIONS);

/** The oldest version whose code may run on the schema that this code makes. */
export const COMPATIBLE_FROM = Math.max(...MIGRATIONS.map(({ compatibleFrom }) => compatibleFrom));

function versionOf(migrations: readonly Migration[]): number {
  return migrations.at(-1)?.version ?? 0;
}

/**
 * Brings schema `freshet` to the version that the code needs.
 * Each migration is a transaction of its own, so that what was done stays where a later one fails.
 * A database without the schema gets all of it in one: nobody holds anything of it yet, and it is
 * made whole or not at all. Several callers at once wait for each other and apply each migration
 * once. A newer schema on which this code may run is left as it is, because a deployment that is
 * rolled back runs the older `migrate` too.
 * @throws UsageError when this code may not run on the schema, or when the role may not create.
 */
export async function migrate(
  db: SqlDatabase,
  migrations: readonly Migration[] = MIGRATIONS,
): Promise<{ from: number; to: number; applied: string[] }> {
  const needed = versionOf(migrations);
  await requireSchemaRights(db, 'write');
  const schema = await readSchemaVersion(db.kysely);
  refuseIncompatible(schema, needed);
  const from = schema.version;
  const pending = migrations.filter(({ version }) => version > from);
  const steps = from === 0 ? [pending] : pending.map(migration => [migration]);
  const applied: string[] = [];
  for (const step of steps) {
    const names = await db.kysely
      .transaction()
      .execute(transaction => applyOnce(transaction, step, { needed, engine: db.engine }))
      .catch(error => explainRefusal(error, db.kysely));
    applied.push(...names);
  }
  return { from, to: Math.max(from, needed), applied };
}

/** Applies those of the migrations that the schema has not; resolves with their names. */
async function applyOnce(
  transaction: Transaction<FreshetTables>,
  migrations: readonly Migration[],
  { needed, engine }: Pick<SqlDatabase, 'engine'> & { readonly needed: number },
): Promise<string[]> {
  await lockSchemaChanges(transaction);
  const schema = await readSchemaVersion(transaction);
  refuseIncompatible(schema, needed);
  const pending = migrations.filter(({ version }) => version > schema.version);
  if (pending.length === 0) return [];
  if (schema.version === 0) await createMigrationsTable(transaction);
  const statements = pending.flatMap(migration => [...migration.statements, renderRecord(migration)]);
  // A server takes them in one message; the embedded database takes one statement at a time.
  const messages = engine === 'postgres' ? [statements.join(';\n')] : statements;
  for (const message of messages) await sql.raw(message).execute(transaction);
  return pending.map(({ name }) => name);
}

/** Renders what records a migration; before the fourth there was no column for older code. */
function renderRecord({ version, name, compatibleFrom }: Migration): string {
  const isOfVersions = version >= migration0004Versions.version;
  return isOfVersions
    ? `INSERT INTO freshet.migrations (version, name, compatible_from)
         VALUES (${version}, '${name}', ${compatibleFrom})`
    : `INSERT INTO freshet.migrations (version, name) VALUES (${version}, '${name}')`;
}

async function createMigrationsTable(db: Kysely<FreshetTables>): Promise<void> {
  const schema = await sql`SELECT 1 FROM pg_namespace WHERE nspname = 'freshet'`.execute(db);
  if (schema.rows.length === 0) await sql`CREATE SCHEMA freshet`.execute(db);
  await sql`CREATE TABLE IF NOT EXISTS freshet.migrations (
    version integer PRIMARY KEY,
    name text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
  )`.execute(db);
}

async function explainRefusal(error: unknown, db: Kysely<FreshetTables>): Promise<never> {
  if (!(error instanceof FreshetError) || error.code !== 'sqlstate_42501') throw error;
  const names = await sql<{ grant: string }>`
    SELECT format('GRANT CREATE ON DATABASE %I TO %I;', current_database(), current_user) AS "grant"`.execute(
    db,
  );
  throw new UsageError(
    'The database role may not create or change schema freshet. Run the statement below as the owner ' +
      'of the database, or run migrate as the role that owns the schema.',
    names.rows[0]?.grant,
  );
}

/**
 * Rejects where the role lacks rights on schema `freshet` or its tables.
 * @throws UsageError with the GRANTs that are missing.
 */
export async function requireSchemaRights(db: SqlDatabase, need: 'read' | 'write'): Promise<void> {
  const missing = await findMissingSchemaRights(db, need);
  if (missing !== undefined) throw missing;
}

/**
 * Finds what the role lacks on schema `freshet` and its tables, with the GRANTs.
 * Undefined where the role lacks nothing, or where there is no such schema yet.
 */
export async function findMissingSchemaRights(
  db: SqlDatabase,
  need: 'read' | 'write',
): Promise<UsageError | undefined> {
  const { rows } = await sql<{ role: string; usable: boolean; readable: boolean; writable: boolean }>`
    SELECT current_user::text AS role, has_schema_privilege(n.oid, 'USAGE') AS usable,
           coalesce(bool_and(has_table_privilege(c.oid, 'SELECT')), true) AS readable,
           coalesce(bool_and(has_table_privilege(c.oid, 'INSERT') AND has_table_privilege(c.oid, 'UPDATE')
                             AND has_table_privilege(c.oid, 'DELETE')), true) AS writable
      FROM pg_namespace n LEFT JOIN pg_class c ON c.relnamespace = n.oid AND c.relkind IN ('r', 'p')
     WHERE n.nspname = 'freshet' GROUP BY n.oid`.execute(db.kysely);
  const rights = rows[0];
  if (rights === undefined) return undefined;
  if (rights.usable && rights.readable && (need === 'read' || rights.writable)) return undefined;
  const role = quoteName(rights.role);
  const verbs = need === 'read' ? 'SELECT' : 'SELECT, INSERT, UPDATE, DELETE';
  return new UsageError(
    `Role ${role} may not ${need === 'read' ? 'read' : 'change'} the tables of schema freshet, which ` +
      'another role made.',
    `GRANT USAGE ON SCHEMA freshet TO ${role}; GRANT ${verbs} ON ALL TABLES IN SCHEMA freshet TO ${role};`,
  );
}

/**
 * Key of the advisory lock for changes of schema `freshet`, the spaces and their views.
 * The number is "freshet" in ASCII.
 */
const SCHEMA_LOCK_KEY = '28836227677971828';

/** Holds off every other change of the schema until the transaction ends. */
export async function lockSchemaChanges(transaction: Transaction<FreshetTables>): Promise<void> {
  await sql`SELECT pg_advisory_xact_lock(${sql.lit(SCHEMA_LOCK_KEY)}::bigint)`.execute(transaction);
}
