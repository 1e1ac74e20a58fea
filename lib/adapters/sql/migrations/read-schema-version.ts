import { type Kysely, sql } from 'kysely';
import type { FreshetTables } from '../freshet-tables.ts';

/** Reads the version of schema `freshet`; 0 where there is no schema yet. */
export async function readSchemaVersion(db: Kysely<FreshetTables>): Promise<number> {
  const table = await sql<{ present: boolean }>`
    SELECT EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                    WHERE n.nspname = 'freshet' AND c.relname = 'migrations') AS present`.execute(db);
  if (table.rows[0]?.present !== true) return 0;
  const version = await sql<{ version: number }>`
    SELECT coalesce(max(version), 0)::int AS version FROM freshet.migrations`.execute(db);
  return version.rows[0]?.version ?? 0;
}
