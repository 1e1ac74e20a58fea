import { type Kysely, sql, type Transaction } from 'kysely';
import { FreshetError } from '../../../core/errors/freshet-error.ts';
import { UsageError } from '../../../core/errors/usage-error.ts';
import type { FreshetTables } from '../freshet-tables.ts';
import type { SqlDatabase } from '../sql-database.ts';
import { lockSchemaChanges } from './lock-schema-changes.ts';
import { MIGRATIONS, type Migration } from './migration-list.ts';
import { readSchemaVersion } from './read-schema-version.ts';
import { requireSchemaRights } from './require-schema-rights.ts';

/**
 * Brings schema `freshet` to the version that the code needs.
 * Each migration is a transaction of its own. Several callers at once wait for each other and apply
 * each migration once.
 * @throws UsageError when the database is newer than the code, or when the role may not create.
 */
export async function migrate(
  db: SqlDatabase,
  migrations: readonly Migration[] = MIGRATIONS,
): Promise<{ from: number; to: number; applied: string[] }> {
  const needed = migrations.at(-1)?.version ?? 0;
  await requireSchemaRights(db, 'write');
  const from = await readSchemaVersion(db.kysely);
  refuseNewer(from, needed);
  const applied: string[] = [];
  for (const migration of migrations) {
    if (migration.version <= from) continue;
    const fresh = await db.kysely
      .transaction()
      .execute(transaction => applyOnce(transaction, migration, needed))
      .catch(error => explainRefusal(error, db.kysely));
    if (fresh) applied.push(migration.name);
  }
  return { from, to: needed, applied };
}

async function applyOnce(
  transaction: Transaction<FreshetTables>,
  migration: Migration,
  needed: number,
): Promise<boolean> {
  await lockSchemaChanges(transaction);
  const version = await readSchemaVersion(transaction);
  refuseNewer(version, needed);
  if (version >= migration.version) return false;
  if (version === 0) await createMigrationsTable(transaction);
  for (const statement of migration.statements) await sql.raw(statement).execute(transaction);
  await transaction
    .insertInto('freshet.migrations')
    .values({ version: migration.version, name: migration.name })
    .execute();
  return true;
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

function refuseNewer(version: number, needed: number): void {
  if (version <= needed) return;
  throw new UsageError(
    `Schema freshet of the database has version ${version}; this version of Freshet knows ${needed}. Use the newer Freshet that made it.`,
  );
}

async function explainRefusal(error: unknown, db: Kysely<FreshetTables>): Promise<never> {
  if (!(error instanceof FreshetError) || error.code !== 'sqlstate_42501') throw error;
  const names = await sql<{ grant: string }>`
    SELECT format('GRANT CREATE ON DATABASE %I TO %I;', current_database(), current_user) AS "grant"`.execute(
    db,
  );
  throw new UsageError(
    'The database role may not create or change schema freshet. Run the statement below as the owner of the database, or run migrate as the role that owns the schema.',
    names.rows[0]?.grant,
  );
}
