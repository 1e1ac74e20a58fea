import { type RawBuilder, sql } from 'kysely';
import { RUN_LOCK_CLASS } from './sql-database.ts';

/**
 * Renders whether lease `l` holds.
 * A lease holds while it is unexpired and belongs either to no local run, or to a run whose session
 * still has its advisory lock.
 */
export function liveLease(): RawBuilder<boolean> {
  return sql<boolean>`(l.expires_at > now() AND (l.run_id IS NULL OR l.run_id IN (${liveRuns()})))`;
}

/** Renders the ids of the runs whose lock is held in this database. */
export function liveRuns(): RawBuilder<number> {
  return sql<number>`SELECT objid::int8::int4 FROM pg_locks
    WHERE locktype = 'advisory' AND granted AND objsubid = 2
      AND classid::int8 = ${sql.lit(RUN_LOCK_CLASS)}
      AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`;
}
