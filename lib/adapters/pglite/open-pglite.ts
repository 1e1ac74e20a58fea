import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { PGlite } from '@electric-sql/pglite';
import { vector } from '@electric-sql/pglite-pgvector';
import { Kysely, PGliteDialect } from 'kysely';
import { classifyingDialect } from '../sql/classifying-dialect.ts';
import type { FreshetTables } from '../sql/freshet-tables.ts';
import { readVectorTypeOids } from '../sql/read-vector-type-oids.ts';
import { SESSION_STATEMENT } from '../sql/session-statement.ts';
import type { SqlDatabase } from '../sql/sql-database.ts';
import { beginPgliteRun } from './begin-pglite-run.ts';
import { lockDirectory } from './lock-directory.ts';
import { runTypedStatement } from './run-typed-statement.ts';

/**
 * Opens or creates an embedded PostgreSQL with pgvector, in a directory or in memory.
 * A database in `directory` is opened under a lock. A database in `memory` is new, or it is the one
 * of `image`, a tar file of a data directory.
 * There is one session. Kysely queues the statements and transactions of concurrent flows, so a
 * transaction never sees another flow's statements.
 * @throws UsageError while another process has the directory.
 */
export async function openPglite(
  place: { readonly directory: string } | { readonly memory: true; readonly image?: Blob },
): Promise<SqlDatabase> {
  if ('memory' in place)
    return openUnlocked(place.image === undefined ? {} : { loadDataDir: place.image }, async () => {});
  await mkdir(dirname(place.directory), { recursive: true });
  const unlock = await lockDirectory(place.directory);
  try {
    return await openUnlocked({ dataDir: place.directory }, unlock);
  } catch (error) {
    await unlock();
    throw error;
  }
}

async function openUnlocked(
  place: { readonly dataDir?: string; readonly loadDataDir?: Blob },
  unlock: () => Promise<void>,
): Promise<SqlDatabase> {
  const pglite = await PGlite.create({ ...place, extensions: { vector } });
  await pglite.exec('CREATE EXTENSION IF NOT EXISTS vector');
  await pglite.exec(SESSION_STATEMENT);
  const kysely = new Kysely<FreshetTables>({ dialect: classifyingDialect(new PGliteDialect({ pglite })) });
  const oids = await readVectorTypeOids(kysely);
  for (const oid of [oids.element, oids.array]) pglite.serializers[oid] = serializeVectors;
  return {
    engine: 'pglite',
    kysely,
    vectorTypeOid: async () => oids.element,
    beginRun: () => beginPgliteRun(kysely),
    // While it holds the one connection, no transaction of another flow is open and none begins.
    typed: statements => kysely.connection().execute(() => runTypedStatement(pglite, statements)),
    close: async () => {
      await kysely.destroy();
      await unlock();
    },
  };
}

/**
 * Turns a vector parameter into what PGlite sends; texts and Buffers are sent as they are.
 * Pieces of bytes are known by the method that `pg` asks for too, and not by their class: a bundled
 * function has its own copy of every class.
 */
function serializeVectors(value: unknown) {
  const isPieces = typeof value === 'object' && value !== null && 'toPostgres' in value;
  // The driver's types know texts only, but the driver sends bytes too.
  return (isPieces ? (value as { toPostgres(): Buffer }).toPostgres() : value) as string;
}
