import { sql } from 'kysely';
import { quoteName } from '../sources/quote-name.ts';
import type { SqlDatabase } from '../sql-database.ts';
import type { DoctorFinding } from './doctor-finding.ts';

/**
 * Reports whether other sessions' transactions can be seen and which ones hold up detection.
 * The incremental pass must not step over a row that one of these transactions commits late.
 */
export async function inspectTransactions(db: SqlDatabase): Promise<readonly DoctorFinding[]> {
  const found = await sql<{
    role: string;
    sees: boolean;
    tracked: boolean;
    prepared: number;
    oldest: number;
  }>`
    SELECT current_user::text AS role,
           pg_has_role(current_user, 'pg_read_all_stats', 'USAGE') AS sees,
           current_setting('track_activities')::boolean AS tracked,
           (SELECT count(*)::int FROM pg_prepared_xacts WHERE database = current_database()) AS prepared,
           (SELECT coalesce(max(extract(epoch FROM now() - xact_start)), 0)::float8 FROM pg_stat_activity
             WHERE datname = current_database() AND pid <> pg_backend_pid()) AS oldest`.execute(db.kysely);
  const row = found.rows[0];
  if (row === undefined) return [];
  return [visibility(row), prepared(row.prepared), oldest(row.oldest)];
}

function visibility(row: { role: string; sees: boolean; tracked: boolean }): DoctorFinding {
  if (row.sees && row.tracked) {
    return {
      check: 'transactions',
      ok: true,
      severity: 'info',
      message: 'Open transactions of other sessions can be seen.',
    };
  }
  return {
    check: 'transactions',
    ok: false,
    severity: 'warning',
    message:
      'Open transactions of other sessions cannot be seen: each incremental pass looks 15 minutes back, and a transaction that stays open for longer is left to the reconcile pass.',
    statement: row.sees
      ? 'ALTER SYSTEM SET track_activities = on; SELECT pg_reload_conf();'
      : `GRANT pg_read_all_stats TO ${quoteName(row.role)};`,
  };
}

function prepared(count: number): DoctorFinding {
  return {
    check: 'prepared-transactions',
    ok: count === 0,
    severity: count === 0 ? 'info' : 'warning',
    message:
      count === 0
        ? 'No prepared transaction is open.'
        : `${count} prepared transactions are open: while one is, the watermark of the incremental pass stands still. Commit or roll back those that nobody will finish.`,
    ...(count === 0 ? {} : { statement: 'SELECT gid, prepared, owner FROM pg_prepared_xacts;' }),
  };
}

/**
 * Reports a transaction that is open for half an hour, far longer than any ordinary one.
 * The incremental pass re-reads all that changed since the oldest transaction began.
 */
function oldest(seconds: number): DoctorFinding {
  const ok = seconds < 1800;
  return {
    check: 'oldest-transaction',
    ok,
    severity: ok ? 'info' : 'warning',
    message: ok
      ? 'No transaction is open for over 30 minutes.'
      : `A transaction is open for ${Math.floor(seconds / 60)} minutes: until it ends, each incremental pass reads everything that changed since it began.`,
    ...(ok
      ? {}
      : {
          statement:
            'SELECT pid, usename, application_name, xact_start FROM pg_stat_activity ORDER BY xact_start LIMIT 1;',
        }),
  };
}
