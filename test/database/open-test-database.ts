import { randomBytes } from 'node:crypto';
import { openAsBlob } from 'node:fs';
import { sql } from 'kysely';
import { inject } from 'vitest';
import { openPglite } from '../../lib/adapters/pglite/open-pglite.ts';
import { openPostgres } from '../../lib/adapters/postgres/open-postgres.ts';
import type { SqlDatabase } from '../../lib/adapters/sql/database.ts';
import { migrate } from '../../lib/adapters/sql/migrations/migrate.ts';
import { onServer } from './on-server.ts';

/** The PGlite of this test file, emptied for each test: to start one costs seconds. */
let shared: Promise<SqlDatabase> | undefined;

/**
 * Opens a database with pgvector and an empty schema `public`.
 *
 * It has schema `freshet` too unless `migrated` is false. Without `DATABASE_URL` it is PGlite in
 * memory, of which only the database opened last may be used; with it, it is a new database on
 * that server, which `close` drops.
 */
export async function openTestDatabase(options: { migrated?: boolean } = {}): Promise<SqlDatabase> {
  const url = process.env.DATABASE_URL;
  const db = url === undefined || url === '' ? await openShared() : await openOnServer(url);
  if (options.migrated !== false) await migrate(db);
  return db;
}

async function openShared(): Promise<SqlDatabase> {
  shared ??= openAsBlob(inject('emptyDatabase')).then(image => openPglite({ memory: true, image }));
  const db = await shared;
  await emptyDatabase(db);
  return { ...db, close: async () => {} };
}

async function emptyDatabase(db: SqlDatabase): Promise<void> {
  await sql`RESET ROLE`.execute(db.kysely);
  await sql`SELECT pg_advisory_unlock_all()`.execute(db.kysely);
  const schemas = await sql<{ name: string }>`
    SELECT nspname::text AS name FROM pg_namespace
     WHERE nspname NOT IN ('public', 'information_schema') AND nspname NOT LIKE 'pg\\_%'`.execute(db.kysely);
  for (const { name } of schemas.rows) await sql`DROP SCHEMA ${sql.id(name)} CASCADE`.execute(db.kysely);
  const relations = await sql<{ name: string; kind: string }>`
    SELECT relname::text AS name, CASE relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW' ELSE 'TABLE' END AS kind
      FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v', 'm')`.execute(
    db.kysely,
  );
  for (const { name, kind } of relations.rows) {
    await sql`DROP ${sql.raw(kind)} IF EXISTS public.${sql.id(name)} CASCADE`.execute(db.kysely);
  }
}

async function openOnServer(url: string): Promise<SqlDatabase> {
  const name = `freshet_test_${randomBytes(6).toString('hex')}`;
  await onServer(url, `CREATE DATABASE ${name}`);
  const target = new URL(url);
  target.pathname = `/${name}`;
  await onServer(target.href, 'CREATE EXTENSION vector');
  const db = await openPostgres({ connectionString: target.href, maxConnections: 4 });
  return {
    ...db,
    close: async () => {
      await db.close();
      await onServer(url, `DROP DATABASE ${name} WITH (FORCE)`);
    },
  };
}

/**
 * Drops the roles of these names, with all they own; a role that is not there is passed over.
 *
 * `close` drops the database of a test; its roles belong to the whole server and would stay.
 */
export async function dropRoles(db: SqlDatabase, names: readonly string[]): Promise<void> {
  for (const name of names) {
    const { rows } = await sql`SELECT FROM pg_roles WHERE rolname = ${name}`.execute(db.kysely);
    if (rows.length === 0) continue;
    await sql`REASSIGN OWNED BY ${sql.id(name)} TO CURRENT_USER`.execute(db.kysely);
    await sql`DROP OWNED BY ${sql.id(name)} CASCADE`.execute(db.kysely);
    await sql`DROP ROLE ${sql.id(name)}`.execute(db.kysely);
  }
}
