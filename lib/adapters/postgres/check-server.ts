import { UsageError } from '../../core/errors.ts';
import { isOlderVersion, toDatabaseFailure } from '../sql/database.ts';
import { quoteName } from '../sql/fragments.ts';
import { nameServer } from './connection-url.ts';
import { isPooled, type PooledClient, refuseSharedSessions } from './poolers.ts';

/** Oldest pgvector whose binary format, casts and index behaviour this code was run against. */
const OLDEST_PGVECTOR = '0.8.0';

interface ServerFacts {
  /** Number of the process that answered. */
  readonly backend: number;
  readonly server: number;
  readonly database: string;
  readonly role: string;
  /** Version of pgvector in this database; null where the extension was not created. */
  readonly vector: string | null;
  readonly vectorTypeOid: number | null;
  /** Version that `CREATE EXTENSION` would take; null where the server has no such package. */
  readonly packaged: string | null;
  /** Schema that pgvector was created in. */
  readonly schema: string | null;
  readonly schemaUsable: boolean | null;
  readonly typeUsable: boolean | null;
}

/** A database that Freshet can work in. */
export interface CheckedServer {
  /** OID of type `vector`. */
  readonly vectorTypeOid: number;
  /** How sentences name the database. */
  readonly displayName: string;
  /** Whether a pooler stands between, which keeps this session apart. */
  readonly isPooled: boolean;
}

/**
 * Checks versions, pgvector's rights and whose the session is; sets nothing.
 * A server takes one round trip; only a pooler is asked more.
 * @throws UsageError where PostgreSQL is older than 15, a pooler shares its sessions, or pgvector
 * is missing, older than 0.8.0 or not to be used by this role.
 * @throws FreshetError where the server cannot be asked.
 */
export async function checkServer(checked: PooledClient): Promise<CheckedServer> {
  const { client } = checked;
  try {
    const answer = await client.query<ServerFacts>(
      `SELECT pg_catalog.pg_backend_pid() AS backend,
              current_setting('server_version_num')::int AS server, current_database() AS database,
              current_user AS role, e.extversion AS vector, t.oid::int AS "vectorTypeOid",
              (SELECT a.default_version FROM pg_catalog.pg_available_extensions AS a
                WHERE a.name = 'vector') AS packaged,
              n.nspname AS schema, has_schema_privilege(n.oid, 'USAGE') AS "schemaUsable",
              has_type_privilege(t.oid, 'USAGE') AS "typeUsable"
         FROM (VALUES (1)) AS one (line)
         LEFT JOIN pg_catalog.pg_extension AS e ON e.extname = 'vector'
         LEFT JOIN pg_catalog.pg_namespace AS n ON n.oid = e.extnamespace
         LEFT JOIN pg_catalog.pg_type AS t ON t.typname = 'vector' AND t.typnamespace = e.extnamespace`,
    );
    const facts = answer.rows[0]!;
    const pooled = isPooled(client, facts.backend);
    if (pooled) await refuseSharedSessions(checked);
    return {
      isPooled: pooled,
      vectorTypeOid: checkFacts(nameServer(client), facts),
      displayName: `database "${facts.database}" at ${client.host}:${client.port}`,
    };
  } catch (error) {
    throw toDatabaseFailure(error);
  }
}

function checkFacts(subject: string, found: ServerFacts): number {
  if (found.server < 150_000) {
    throw new UsageError(
      `${subject} is version ${Math.floor(found.server / 10_000)}; Freshet needs PostgreSQL 15 or ` +
        'newer. Upgrade the server, or name another one in the database URL.',
    );
  }
  const { vector, vectorTypeOid } = found;
  if (vector === null || vectorTypeOid === null) throw describeMissingExtension(subject, found);
  if (isOlderVersion(vector, OLDEST_PGVECTOR)) throw describeOldExtension(subject, { ...found, vector });
  refuseMissingRights(subject, found);
  return vectorTypeOid;
}

/** Whether the server's own package is recent enough, so that a statement suffices. */
function isPackaged({ packaged }: ServerFacts): boolean {
  return packaged !== null && !isOlderVersion(packaged, OLDEST_PGVECTOR);
}

/** Describes the extension that was not created; only a server without its package needs one. */
function describeMissingExtension(subject: string, found: ServerFacts): UsageError {
  const run = 'run the statement below in that database, as the owner of the database or a superuser.';
  const lacking =
    found.packaged === null
      ? `the server has no pgvector. Install its pgvector package (${OLDEST_PGVECTOR} or newer), then`
      : `the server's package is ${found.packaged}. Upgrade it to ${OLDEST_PGVECTOR} or newer, then`;
  return new UsageError(
    isPackaged(found)
      ? `${subject}: database "${found.database}" has no pgvector yet. To create it, ${run}`
      : `${subject}: database "${found.database}" has no pgvector, and ${lacking} ${run}`,
    'CREATE EXTENSION vector;',
  );
}

/** Describes the extension that is too old; the package is upgraded first where it is as old. */
function describeOldExtension(subject: string, found: ServerFacts & { readonly vector: string }): UsageError {
  const old =
    `${subject}: pgvector ${found.vector} in database "${found.database}" is too old; Freshet needs ` +
    `${OLDEST_PGVECTOR} or newer`;
  return new UsageError(
    isPackaged(found)
      ? `${old}. The server has ${found.packaged}: run the statement below as the extension's owner.`
      : `${old}, and the server's package is ${found.packaged ?? 'missing'}: upgrade the package, then ` +
          "run the statement below as the extension's owner.",
    'ALTER EXTENSION vector UPDATE;',
  );
}

/**
 * Refuses a role that may not use pgvector's schema or its type.
 * The type would then seem not to exist, at the first statement that names it.
 */
function refuseMissingRights(subject: string, found: ServerFacts): void {
  const role = quoteName(found.role);
  const schema = found.schema ?? 'public';
  const grants = [
    ...(found.schemaUsable === false ? [`GRANT USAGE ON SCHEMA ${quoteName(schema)} TO ${role};`] : []),
    ...(found.typeUsable === false ? [`GRANT USAGE ON TYPE ${quoteName(schema, 'vector')} TO ${role};`] : []),
  ];
  if (grants.length === 0) return;
  throw new UsageError(
    `${subject}: role ${role} may not use pgvector, which is in schema ${quoteName(schema)} of database ` +
      `"${found.database}".`,
    grants.join(' '),
  );
}
