import { type Kysely, sql } from 'kysely';
import { UsageError } from '../../core/errors/usage-error.ts';
import type { FreshetTables } from './freshet-tables.ts';

/**
 * Reads the OIDs of `vector` and `vector[]`, which differ between databases.
 * @throws UsageError where pgvector is not installed.
 */
export async function readVectorTypeOids(
  db: Kysely<FreshetTables>,
): Promise<{ readonly element: number; readonly array: number }> {
  const found = await sql<{ element: number; array: number }>`
    SELECT t.oid::int AS element, t.typarray::int AS "array"
      FROM pg_catalog.pg_extension e
      JOIN pg_catalog.pg_type t ON t.typname = 'vector' AND t.typnamespace = e.extnamespace
     WHERE e.extname = 'vector'`.execute(db);
  const row = found.rows[0];
  if (row === undefined) {
    throw new UsageError('pgvector is not installed in this database.', 'CREATE EXTENSION vector;');
  }
  return row;
}
