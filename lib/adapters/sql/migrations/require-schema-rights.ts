import { sql } from 'kysely';
import { UsageError } from '../../../core/errors/usage-error.ts';
import { quoteName } from '../sources/quote-name.ts';
import type { SqlDatabase } from '../sql-database.ts';

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
    `Role ${role} may not ${need === 'read' ? 'read' : 'change'} the tables of schema freshet, which another role made.`,
    `GRANT USAGE ON SCHEMA freshet TO ${role}; GRANT ${verbs} ON ALL TABLES IN SCHEMA freshet TO ${role};`,
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
