import { sql } from 'kysely';
import { classifyDatabaseFailure } from '../../../core/errors/classify-database-failure.ts';
import type { SqlDatabase } from '../sql-database.ts';

/** Rejects where the server answers and refuses every write: after a failover to a replica, or set to read-only. */
export async function requireWritable(db: SqlDatabase): Promise<void> {
  const { rows } = await sql<{ writable: boolean }>`
    SELECT NOT pg_is_in_recovery() AND current_setting('transaction_read_only') = 'off' AS writable`.execute(
    db.kysely,
  );
  if (rows[0]?.writable !== true) throw classifyDatabaseFailure({ sqlState: '25006' });
}
