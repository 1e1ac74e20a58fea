import { sql } from 'kysely';
import { UsageError } from '../../../core/errors/usage-error.ts';
import type { SqlDatabase } from '../sql-database.ts';
import type { FoundTable } from './find-table.ts';
import { quoteName } from './quote-name.ts';

/**
 * Requires USAGE on the schema, and SELECT on the table or on each column and `xmin`.
 * @throws UsageError that begins with `place` and has the GRANTs that are missing.
 */
export async function requireReadable(
  db: SqlDatabase,
  table: FoundTable,
  columns: readonly string[],
  place: string,
): Promise<void> {
  const needed = JSON.stringify([...new Set([...columns, 'xmin'])]);
  const found = await sql<{ role: string; usage: boolean; table: boolean; columns: boolean }>`
    SELECT current_user::text AS role,
           has_schema_privilege(${table.schema}, 'USAGE') AS usage,
           has_table_privilege(${table.oid}::oid, 'SELECT') AS "table",
           (SELECT bool_and(has_column_privilege(${table.oid}::oid, name, 'SELECT'))
              FROM json_array_elements_text(${needed}::json) AS needed (name)) AS columns`.execute(db.kysely);
  const rights = found.rows[0];
  if (rights === undefined || (rights.usage && (rights.table || rights.columns))) return;
  const role = quoteName(rights.role);
  const grants = [
    ...(rights.usage ? [] : [`GRANT USAGE ON SCHEMA ${quoteName(table.schema)} TO ${role};`]),
    ...(rights.table || rights.columns
      ? []
      : [`GRANT SELECT ON ${quoteName(table.schema, table.name)} TO ${role};`]),
  ];
  throw new UsageError(`${place} may not be read by role ${role}.`, grants.join(' '));
}
