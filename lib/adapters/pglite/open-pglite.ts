import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { PGlite, types } from '@electric-sql/pglite';
import { vector } from '@electric-sql/pglite-pgvector';
import { Kysely, PGliteDialect, sql } from 'kysely';
import { UsageError } from '../../core/errors.ts';
import { makePrivateFolder, narrowFolder, PRIVATE_FILE_MODE } from '../private-files.ts';
import {
  classifyingDialect,
  drawRunId,
  RUN_LOCK_CLASS,
  type RunLock,
  readVectorTypeOids,
  SESSION_STATEMENT,
  type SqlDatabase,
  type TypedResult,
} from '../sql/database.ts';
import type { FreshetTables } from '../sql/freshet-tables.ts';
import { lockDirectory } from './lock-directory.ts';

/**
 * Opens or creates an embedded PostgreSQL with pgvector, in a directory or in memory.
 * A database in `directory` is opened under a lock. A database in `memory` is new, or it is the one
 * of `image`, a tar file of a data directory.
 * There is one session. Kysely queues the statements and transactions of concurrent flows, so a
 * transaction never sees another flow's statements.
 * @throws UsageError while another process has the directory, and for files that this PostgreSQL
 * cannot open
 */
export async function openPglite(
  location: { readonly directory: string } | { readonly memory: true; readonly image?: Blob },
): Promise<SqlDatabase> {
  if ('memory' in location)
    return openUnlocked(location.image === undefined ? {} : { loadDataDir: location.image }, async () => {});
  const { directory } = location;
  await mkdir(dirname(directory), { recursive: true, mode: 0o700 });
  const unlock = await lockDirectory(directory);
  try {
    await removeUnfinished(directory);
    await refuseForeignFiles(directory);
    const finish = await beginMaking(directory);
    await makePrivateFolder(directory);
    // PGlite makes every file writable for everybody, whatever the umask says. New ones are
    // narrowed once it is open and when it is closed; meanwhile the folder itself keeps others out.
    const narrowFiles = () => narrowFolder(directory, 'tree');
    const database = await openUnlocked({ dataDir: directory }, () => narrowFiles().finally(unlock));
    await narrowFiles();
    await finish();
    return database;
  } catch (error) {
    await unlock();
    throw error;
  }
}

/** Lies beside a database from before its first file until it has been opened once. */
const markOf = (directory: string) => `${directory}.unfinished`;

/**
 * Removes what a process left that was killed while it made a database.
 * Such files are no database and hold nothing: the mark was set when there were none.
 */
async function removeUnfinished(directory: string): Promise<void> {
  const mark = await readFile(markOf(directory)).catch(() => undefined);
  if (mark !== undefined) await rm(directory, { recursive: true, force: true });
}

/** Marks a database that is about to be made. @returns what takes the mark away */
async function beginMaking(directory: string): Promise<() => Promise<void>> {
  const files = await readdir(directory).catch(() => []);
  if (files.length > 0) return async () => {};
  await writeFile(markOf(directory), '', { mode: PRIVATE_FILE_MODE });
  return () => rm(markOf(directory));
}

/**
 * Major version of the PostgreSQL that PGlite is.
 * Its package does not tell it before a database is open; a test compares it with `server_version`.
 */
const POSTGRES_MAJOR = '18';

/**
 * Refuses a directory that this PostgreSQL cannot take up as it is.
 * PGlite makes a new database over files that have no `PG_VERSION`, and tells no reason where it
 * cannot start.
 * @throws UsageError for the files of another major version, and for files that are no database
 */
async function refuseForeignFiles(directory: string): Promise<void> {
  const files = await readdir(directory).catch(() => []);
  if (files.length === 0) return;
  const version = await readFile(join(directory, 'PG_VERSION'), 'utf8').catch(() => '');
  if (version.trim() === POSTGRES_MAJOR) return;
  throw new UsageError(
    /^\d[\d.]*\s*$/.test(version)
      ? `The embedded database in ${directory} is of PostgreSQL ${version.trim()}; this Freshet has ` +
          `PostgreSQL ${POSTGRES_MAJOR}, which cannot read it. The Freshet that made it can. ${FRESH_START}`
      : `${directory} is no database of PostgreSQL: its file PG_VERSION names no version. ${FRESH_START}`,
    setAside(directory),
  );
}

const FRESH_START =
  'It can be set aside: the next command that may create a database makes a new one, and its vectors are ' +
  'made again.';

function setAside(directory: string): string {
  return `mv ${directory} ${directory}.old`;
}

async function openUnlocked(
  source: { readonly dataDir?: string; readonly loadDataDir?: Blob },
  unlock: () => Promise<void>,
): Promise<SqlDatabase> {
  const pglite = await startPglite(source);
  await pglite.exec('CREATE EXTENSION IF NOT EXISTS vector');
  await pglite.exec(SESSION_STATEMENT);
  const kysely = new Kysely<FreshetTables>({ dialect: classifyingDialect(new PGliteDialect({ pglite })) });
  const oids = await readVectorTypeOids(kysely);
  for (const { element, array } of Object.values(oids))
    for (const oid of [element, array]) pglite.serializers[oid] = serializeVectors;
  return {
    engine: 'pglite',
    displayName: `the embedded database in ${source.dataDir ?? 'memory'}`,
    kysely,
    vectorTypeOid: async storage => oids[storage ?? 'vector'].element,
    beginRun: () => beginPgliteRun(kysely),
    // While it holds the one connection, no transaction of another flow is open and none begins.
    runTyped: statements => kysely.connection().execute(() => runTypedStatement(pglite, statements)),
    close: async () => {
      await kysely.destroy();
      await unlock();
    },
  };
}

/**
 * Starts PGlite.
 * Where its PostgreSQL ends while it starts, PGlite gives no reason: the files are damaged, as
 * after a full disk or a copy that was not finished.
 * @throws UsageError for a directory that does not start
 */
async function startPglite(source: {
  readonly dataDir?: string;
  readonly loadDataDir?: Blob;
}): Promise<PGlite> {
  try {
    return await PGlite.create({ ...source, extensions: { vector } });
  } catch (error) {
    if (source.dataDir === undefined) throw error;
    throw new UsageError(
      `The embedded database in ${source.dataDir} does not start: files of it are damaged or missing, or ` +
        `there is no space or no right to write there. Make room, or give that right. ${FRESH_START}`,
      setAside(source.dataDir),
    );
  }
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

/**
 * Takes the run lock in the one session of an embedded database.
 * The database runs inside the process, so the lock ends with the process and `lost` never
 * resolves.
 */
async function beginPgliteRun(kysely: Kysely<FreshetTables>): Promise<RunLock> {
  const runId = drawRunId();
  await sql`SELECT pg_advisory_lock(${RUN_LOCK_CLASS}::int, ${runId}::int)`.execute(kysely);
  return {
    runId,
    lost: new Promise(() => {}),
    end: async () => {
      await sql`SELECT pg_advisory_unlock(${RUN_LOCK_CLASS}::int, ${runId}::int)`.execute(kysely);
    },
  };
}

/** Keeps times as the server prints them: a JS `Date` would drop microseconds. */
const parsers = Object.fromEntries(
  [types.TIMESTAMPTZ, types.TIMESTAMP, types.DATE].map(type => [type, (text: string) => text]),
);

/**
 * Runs what a person typed, with the `search_path` that such a person expects.
 * The text may hold several statements; the result is that of the last one. The session serves no
 * other statement meanwhile. A run goes on in it afterwards: a transaction that was left open is
 * rolled back, and every setting is as it was.
 * @throws UsageError with the server's own message. This is the one place where a server's message
 * passes, because its reader wrote the statement.
 */
async function runTypedStatement(pglite: PGlite, statement: string): Promise<TypedResult> {
  await pglite.query(`SELECT set_config('search_path', '"$user", public', false)`);
  try {
    const last = (await pglite.exec(statement, { parsers })).at(-1);
    return {
      rows: (last?.rows ?? []) as TypedResult['rows'],
      affectedRows: last?.affectedRows ?? 0,
    };
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : 'The statement failed.');
  } finally {
    // Outside a transaction ROLLBACK does nothing but warn.
    await pglite.exec(`ROLLBACK; RESET SESSION AUTHORIZATION; RESET ALL; ${SESSION_STATEMENT}`);
  }
}
