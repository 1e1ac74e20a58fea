import type pg from 'pg';
import { UsageError } from '../../core/errors/usage-error.ts';
import { toDatabaseFailure } from '../sql/classifying-dialect.ts';
import { isOlderVersion } from '../sql/is-older-version.ts';

/** Oldest pgvector whose binary format, casts and index behaviour this code was run against. */
const OLDEST_PGVECTOR = '0.8.0';

interface ServerFacts {
  readonly server: number;
  readonly database: string;
  /** Version of pgvector; null where pgvector is not installed. */
  readonly vector: string | null;
  readonly vectorTypeOid: number | null;
}

/**
 * Checks the server's versions in one round trip; resolves with the OID of type `vector`.
 * @throws UsageError where PostgreSQL is older than 15, or pgvector is missing or older than 0.8.0.
 * @throws FreshetError where the server cannot be asked.
 */
export async function checkServer(client: pg.Client): Promise<number> {
  try {
    const answer = await client.query<ServerFacts>(
      `SELECT current_setting('server_version_num')::int AS server, current_database() AS database,
              e.extversion AS vector, t.oid::int AS "vectorTypeOid"
         FROM (VALUES (1)) AS one (line)
         LEFT JOIN pg_catalog.pg_extension AS e ON e.extname = 'vector'
         LEFT JOIN pg_catalog.pg_type AS t ON t.typname = 'vector' AND t.typnamespace = e.extnamespace`,
    );
    return checkFacts(`PostgreSQL at ${client.host}:${client.port}`, answer.rows[0]!);
  } catch (error) {
    throw toDatabaseFailure(error);
  }
}

function checkFacts(place: string, found: ServerFacts): number {
  if (found.server < 150_000) {
    throw new UsageError(
      `${place} is version ${Math.floor(found.server / 10_000)}; Freshet needs PostgreSQL 15 or newer. Upgrade the server, or name another one in the database URL.`,
    );
  }
  if (found.vector === null || found.vectorTypeOid === null) {
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
  return found.vectorTypeOid;
}
