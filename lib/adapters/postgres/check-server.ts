import type pg from 'pg';
import { UsageError } from '../../core/errors/usage-error.ts';
import { toDatabaseFailure } from '../sql/classifying-dialect.ts';
import { isOlderVersion } from '../sql/is-older-version.ts';

/** The oldest pgvector whose binary format, casts and index behaviour this code was run against. */
const OLDEST_PGVECTOR = '0.8.0';

/** What is wrong with the server is said in words here. Rejects with `UsageError`. */
export async function checkServer(client: pg.Client): Promise<void> {
  try {
    const answer = await client.query<{ server: number; vector: string | null; database: string }>(
      `SELECT current_setting('server_version_num')::int AS server, current_database() AS database,
              (SELECT extversion FROM pg_catalog.pg_extension WHERE extname = 'vector') AS vector`,
    );
    for (const row of answer.rows) checkVersions(`PostgreSQL at ${client.host}:${client.port}`, row);
  } catch (error) {
    throw toDatabaseFailure(error);
  }
}

function checkVersions(
  place: string,
  found: { server: number; vector: string | null; database: string },
): void {
  if (found.server < 150_000) {
    throw new UsageError(
      `${place} is version ${Math.floor(found.server / 10_000)}; Freshet needs PostgreSQL 15 or newer. Upgrade the server, or name another one in the database URL.`,
    );
  }
  if (found.vector === null) {
    throw new UsageError(
      `${place}: pgvector is not installed in database "${found.database}". Install the server's pgvector package (0.8.0 or newer), then run the statement below in that database as its owner.`,
      'CREATE EXTENSION vector;',
    );
  }
  if (isOlderVersion(found.vector, OLDEST_PGVECTOR)) {
    throw new UsageError(
      `${place}: pgvector ${found.vector} in database "${found.database}" is too old; Freshet needs ${OLDEST_PGVECTOR} or newer. Upgrade the server's pgvector package, then run the statement below.`,
      'ALTER EXTENSION vector UPDATE;',
    );
  }
}
