import { sql } from 'kysely';
import { TICK_LOCK_CLASS } from './database.ts';

/**
 * The other sessions `a` whose transaction may still commit a row of this database, from FROM on.
 * Rows without a user are PostgreSQL's own workers, which write no rows. A session that holds a
 * tick's lock writes none either, and is open for as long as the tick.
 */
export const fromOtherWriters = sql`
  FROM pg_catalog.pg_stat_activity AS a
 WHERE a.datname = current_database() AND a.usesysid IS NOT NULL
   AND a.pid <> pg_backend_pid()
   AND NOT EXISTS (SELECT FROM pg_catalog.pg_locks AS k
                    WHERE k.pid = a.pid AND k.locktype = 'advisory' AND k.objsubid = 2
                      AND k.granted AND k.classid::int8 = ${sql.lit(TICK_LOCK_CLASS)}
                      AND k.database = a.datid)`;

/**
 * Whether session `a` hides since when its transaction is open.
 * Other users' backends show nothing without `pg_read_all_stats` ("<insufficient privilege>"). A
 * backend with `track_activities` off has state "disabled".
 */
export const hidesTransaction = sql<boolean>`
  (a.query = '<insufficient privilege>' OR a.state = 'disabled')`;

/** Seconds for which a hidden transaction is trusted to stay open at the most. */
export const LONGEST_HIDDEN_SECONDS = 900;

/** Whether a transaction is prepared: it has no backend, and commits whenever somebody says so. */
export const hasPreparedTransaction = sql<boolean>`
  EXISTS (SELECT FROM pg_catalog.pg_prepared_xacts WHERE database = current_database())`;
