import { sql, type Transaction } from 'kysely';
import type { FreshetTables } from '../freshet-tables.ts';

/**
 * Key of the advisory lock for changes of schema `freshet`, the spaces and their views.
 * The number is "freshet" in ASCII.
 */
const SCHEMA_LOCK_KEY = '28836227677971828';

/** Holds off every other change of the schema until the transaction ends. */
export async function lockSchemaChanges(transaction: Transaction<FreshetTables>): Promise<void> {
  await sql`SELECT pg_advisory_xact_lock(${sql.lit(SCHEMA_LOCK_KEY)}::bigint)`.execute(transaction);
}
