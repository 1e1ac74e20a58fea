import { sql } from 'kysely';
import { classifyDatabaseFailure } from '../../../core/errors/classify-database-failure.ts';
import type { SqlDatabase } from '../sql-database.ts';

/**
 * Rejects where the server answers and refuses every write.
 * The server then is a replica after a failover, or was set to read-only.
 * @throws FreshetError of class `stop` with code `sqlstate_25006`.
 */
export async function requireWritable(db: SqlDatabase): Promise<void> {
  const { rows } = await sql<{ writable: boolean }>`
    SELECT NOT pg_is_in_recovery() AND current_setting('transaction_read_only') = 'off' AS writable`.execute(
    db.kysely,
  );
  if (rows[0]?.writable !== true) throw classifyDatabaseFailure({ sqlState: '25006' });
}
