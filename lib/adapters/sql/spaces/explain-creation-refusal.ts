import { sql } from 'kysely';
import { FreshetError } from '../../../core/errors/freshet-error.ts';
import { UsageError } from '../../../core/errors/usage-error.ts';
import { quoteName } from '../sources/quote-name.ts';
import type { SqlDatabase } from '../sql-database.ts';

/**
 * Turns a refusal (42501) to create a table or view into the GRANTs that are missing.
 * @throws UsageError with the GRANTs; any other error as it came.
 */
export async function explainCreationRefusal(
  error: unknown,
  db: SqlDatabase,
  sourceName: string,
  viewSchema: string,
): Promise<never> {
  if (!(error instanceof FreshetError) || error.code !== 'sqlstate_42501') throw error;
  const { rows } = await sql<{
    role: string;
    database: string;
    tables: boolean;
    views: boolean | null;
    schemas: boolean;
  }>`
    SELECT current_user::text AS role, current_database()::text AS database,
           has_schema_privilege('freshet', 'CREATE') AS tables,
           (SELECT has_schema_privilege(oid, 'CREATE') FROM pg_namespace WHERE nspname = ${viewSchema}) AS views,
           has_database_privilege(current_database(), 'CREATE') AS schemas`.execute(db.kysely);
  const rights = rows[0];
  if (rights === undefined) throw error;
  const role = quoteName(rights.role);
  const grants = [
    ...(rights.tables ? [] : [`GRANT CREATE ON SCHEMA freshet TO ${role};`]),
    ...(rights.views === false ? [`GRANT USAGE, CREATE ON SCHEMA ${quoteName(viewSchema)} TO ${role};`] : []),
    ...(rights.views === null && !rights.schemas
      ? [`GRANT CREATE ON DATABASE ${quoteName(rights.database)} TO ${role};`]
      : []),
  ];
  throw new UsageError(
    `Source "${sourceName}": role ${role} may not make its table in schema freshet or its view in schema ${quoteName(viewSchema)}. Run the statements below, or run migrate as the role that owns them.`,
    grants.length > 0 ? grants.join(' ') : undefined,
  );
}
