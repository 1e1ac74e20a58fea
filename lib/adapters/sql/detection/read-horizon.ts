import { sql } from 'kysely';
import type { Space } from '../../../core/model/space.ts';
import type { SqlDatabase } from '../sql-database.ts';
import { toVersionTime } from './to-version-time.ts';

/**
 * Seconds between the oldest open transaction and the horizon.
 * The margin covers a backend that has begun and not yet shown its transaction, and clocks of
 * writers that run a little behind.
 */
export const HORIZON_MARGIN_SECONDS = 300;
/**
 * Seconds of the margin where a backend hides its transaction.
 * A hidden transaction is trusted to stay open for no longer than this.
 */
const HIDDEN_BACKEND_MARGIN_SECONDS = 900;

/**
 * Reads the time before which no open transaction can still commit a row; null: unknown.
 * `now()` in a row is the start of the row's transaction, so the oldest open transaction bounds
 * what can still appear. A prepared transaction has no backend, so the horizon is null while one is
 * open.
 * Other users' backends show nothing without `pg_read_all_stats` ("<insufficient privilege>"). A
 * backend with `track_activities` off has state "disabled". Rows without a user are PostgreSQL's
 * own workers, which write no rows.
 */
export async function readHorizon(
  db: SqlDatabase,
  space: Space,
  marginSeconds: number,
): Promise<string | null> {
  const { rows } = await sql<{ horizon: string | null }>`
    SELECT CASE WHEN EXISTS (SELECT FROM pg_catalog.pg_prepared_xacts WHERE database = current_database())
                THEN NULL ELSE ${toVersionTime(sql`h.at`, space.source)} END AS horizon
      FROM (SELECT least(now(), min(a.xact_start))
                   - interval '1 second' * CASE
                       WHEN bool_or(a.query = '<insufficient privilege>' OR a.state = 'disabled')
                       THEN greatest(${marginSeconds}::float8, ${HIDDEN_BACKEND_MARGIN_SECONDS}::float8)
                       ELSE ${marginSeconds}::float8 END AS at
              FROM pg_catalog.pg_stat_activity AS a
             WHERE a.datname = current_database() AND a.usesysid IS NOT NULL
               AND a.pid <> pg_backend_pid()) AS h`.execute(db.kysely);
  return rows[0]?.horizon ?? null;
}
