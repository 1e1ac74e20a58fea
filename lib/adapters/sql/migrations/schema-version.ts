import { type Kysely, sql } from 'kysely';
import { UsageError } from '../../../core/errors.ts';
import { FRESHET } from '../../../core/own-command.ts';
import { nameAsked, type SqlDatabase } from '../database.ts';
import type { FreshetTables } from '../freshet-tables.ts';

/** What a person types to bring schema `freshet` and the spaces up to date. */
export const MIGRATE_COMMAND = `${FRESHET} migrate`;

/** Where schema `freshet` of a database stands. */
export interface SchemaVersion {
  /** The newest migration that was applied; 0 where there is no schema yet. */
  readonly version: number;
  /** The oldest code that may run on the schema, as the version that this code needs. */
  readonly compatibleFrom: number;
}

/**
 * Reads the version of schema `freshet`, and the oldest code that the schema lets run.
 * The statement reads schemas from before migration 4 too, which have no `compatible_from`: there
 * nothing but the version's own code may run.
 */
export async function readSchemaVersion(db: Kysely<FreshetTables>): Promise<SchemaVersion> {
  const table = await sql<{ present: boolean }>`
    SELECT EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                    WHERE n.nspname = 'freshet' AND c.relname = 'migrations') AS present`.execute(db);
  if (table.rows[0]?.present !== true) return { version: 0, compatibleFrom: 0 };
  const found = await sql<{ version: number; compatible_from: number }>`
    SELECT coalesce(max(m.version), 0)::int AS version,
           coalesce(max(coalesce((to_jsonb(m) ->> 'compatible_from')::int, m.version)), 0)::int
             AS compatible_from
      FROM freshet.migrations m`.execute(db);
  const { version = 0, compatible_from: compatibleFrom = 0 } = found.rows[0] ?? {};
  return { version, compatibleFrom };
}

/**
 * How a schema stands to code that needs version `needed`.
 * `older`: the code's own `migrate` brings it up. `compatible`: newer, and the code may run on it.
 */
export function compareSchema(
  { version, compatibleFrom }: SchemaVersion,
  needed: number,
): 'older' | 'same' | 'compatible' | 'incompatible' {
  if (version < needed) return 'older';
  if (version === needed) return 'same';
  return needed >= compatibleFrom ? 'compatible' : 'incompatible';
}

/**
 * Rejects a schema on which code of version `needed` may not run.
 * @throws UsageError that says which version the schema has and what to do.
 */
export async function requireUsableSchema(db: SqlDatabase, needed: number): Promise<void> {
  const schema = await readSchemaVersion(db.kysely);
  if (schema.version === 0)
    throw new UsageError(`The database has no schema freshet yet.${nameAsked(db)}`, MIGRATE_COMMAND);
  if (compareSchema(schema, needed) === 'older')
    throw new UsageError(
      `Schema freshet of the database has version ${schema.version}, this Freshet needs ${needed}.`,
      MIGRATE_COMMAND,
    );
  refuseIncompatible(schema, needed);
}

/**
 * Rejects a schema that a newer Freshet made, where code of version `needed` may not run on it.
 * @throws UsageError that says which version may.
 */
export function refuseIncompatible(schema: SchemaVersion, needed: number): void {
  if (compareSchema(schema, needed) === 'incompatible')
    throw new UsageError(describeIncompatible(schema, needed));
}

/** Says which Freshet runs on a schema that code of version `needed` may not run on. */
export function describeIncompatible({ version, compatibleFrom }: SchemaVersion, needed: number): string {
  return (
    `Schema freshet of the database has version ${version} and takes code of version ${compatibleFrom} or ` +
    `newer; this Freshet is of version ${needed}. Run or deploy a Freshet of version ${compatibleFrom} or ` +
    'newer: a schema does not go back.'
  );
}
