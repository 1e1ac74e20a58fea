import { sql } from 'kysely';
import { isOlderVersion } from '../is-older-version.ts';
import type { SqlDatabase } from '../sql-database.ts';
import type { DoctorFinding } from './doctor-finding.ts';

/**
 * Oldest pgvector without a known fault of its HNSW indexes.
 * pgvector's changelog: parallel HNSW builds overflow before 0.8.2; vacuum can corrupt an HNSW
 * index before 0.8.3 and fail on one before 0.8.4.
 */
const ADVISED_PGVECTOR = '0.8.4';

/** Reports the versions of PostgreSQL and pgvector. */
export async function inspectServer(db: SqlDatabase): Promise<readonly DoctorFinding[]> {
  const found = await sql<{ server: string; vector: string }>`
    SELECT current_setting('server_version') AS server, e.extversion AS vector
      FROM pg_extension e WHERE e.extname = 'vector'`.execute(db.kysely);
  const row = found.rows[0];
  if (row === undefined) {
    return [
      {
        check: 'pgvector',
        ok: false,
        severity: 'error',
        message: 'pgvector is not installed in this database.',
        statement: 'CREATE EXTENSION vector;',
      },
    ];
  }
  const old = isOlderVersion(row.vector, ADVISED_PGVECTOR);
  return [
    {
      check: 'server',
      ok: true,
      severity: 'info',
      message: `PostgreSQL ${row.server}${db.engine === 'pglite' ? ', embedded' : ''}.`,
    },
    {
      check: 'pgvector',
      ok: !old,
      severity: old ? 'warning' : 'info',
      message: old
        ? `pgvector ${row.vector} works, but ${ADVISED_PGVECTOR} or newer is advised. Upgrade the server's package, then run the statement.`
        : `pgvector ${row.vector}.`,
      ...(old ? { statement: 'ALTER EXTENSION vector UPDATE;' } : {}),
    },
  ];
}
