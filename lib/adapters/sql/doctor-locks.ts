import { sql } from 'kysely';
import type { ResolvedSource } from '../../core/model.ts';
import type { SqlDatabase } from './database.ts';
import type { DoctorFinding } from './doctor-sources.ts';
import { quoteName } from './fragments.ts';
import { vectorTableOf } from './freshet-tables.ts';

/** A process that keeps a table to itself, or waits to: both keep every reader waiting. */
interface Lock {
  readonly schema: string;
  readonly table: string;
  readonly pid: number;
  readonly isHeld: boolean;
  /** The processes that it waits for itself. */
  readonly waitsFor: readonly number[];
}

/**
 * Says who keeps the rows of a source, or their vectors, from being read.
 * @param hasSpaces whether schema `freshet` is there to say which tables hold its vectors
 */
export async function describeLock(
  db: SqlDatabase,
  source: ResolvedSource,
  hasSpaces: boolean,
): Promise<DoctorFinding> {
  const lock = await findLock(db, source, hasSpaces);
  const pids = lock === undefined ? [] : [lock.pid, ...lock.waitsFor];
  const message = `${describe(lock, source)}: runs and searches wait, and nothing is lost.`;
  return {
    check: 'lock',
    ok: false,
    severity: 'error',
    message: `Source "${source.name}": ${message}`,
    ...(pids.length > 0 && {
      statement:
        'SELECT pid, usename, application_name, state, xact_start FROM pg_stat_activity ' +
        `WHERE pid IN (${pids.join(', ')});`,
    }),
  };
}

function describe(lock: Lock | undefined, source: ResolvedSource): string {
  const until = 'Until that transaction ends it cannot be read';
  if (lock === undefined)
    return `${quoteName(source.schema, source.table)} or the table of its vectors is locked. ${until}`;
  const table = quoteName(lock.schema, lock.table);
  const process = `process ${lock.pid} of the server`;
  if (lock.isHeld) return `${table} is locked by ${process}, as ALTER TABLE and VACUUM FULL do it. ${until}`;
  const others = lock.waitsFor.length === 0 ? '' : `, behind process ${lock.waitsFor.join(', ')}`;
  return `${process} waits to lock ${table}, as ALTER TABLE and VACUUM FULL do it${others}. ${until}`;
}

/** Finds the lock that a reader of the source waits for; one that is held before one that waits. */
async function findLock(
  db: SqlDatabase,
  { name, tableOid }: ResolvedSource,
  hasSpaces: boolean,
): Promise<Lock | undefined> {
  const spaces = hasSpaces
    ? await db.kysely
        .selectFrom('freshet.spaces')
        .select('space_id')
        .where('source_name', '=', name)
        .where('status', '<>', 'retired')
        .execute()
    : [];
  const vectors = spaces.map(({ space_id: spaceId }) => quoteName('freshet', vectorTableOf(spaceId)));
  const { rows } = await sql<Lock>`
    WITH RECURSIVE tables (oid) AS (
      SELECT ${tableOid}::oid
      UNION SELECT to_regclass(v.name)::oid FROM unnest(${vectors}::text[]) AS v (name)
      UNION SELECT i.inhrelid FROM pg_inherits AS i JOIN tables AS t ON i.inhparent = t.oid
    )
    SELECT n.nspname::text AS schema, c.relname::text AS table, l.pid, l.granted AS "isHeld",
           CASE WHEN l.granted THEN '{}' ELSE pg_blocking_pids(l.pid) END AS "waitsFor"
      FROM tables AS t JOIN pg_class AS c ON c.oid = t.oid JOIN pg_namespace AS n ON n.oid = c.relnamespace
      JOIN pg_locks AS l ON l.relation = t.oid
     WHERE l.locktype = 'relation' AND l.mode = 'AccessExclusiveLock' AND l.pid IS NOT NULL
       AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
     ORDER BY l.granted DESC, l.waitstart LIMIT 1`.execute(db.kysely);
  return rows[0];
}
