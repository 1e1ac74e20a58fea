import { sql } from 'kysely';
import type { SqlDatabase } from '../../lib/adapters/sql/sql-database.ts';

export interface SourceTableShape {
  readonly schema?: string;
  readonly name?: string;
  readonly key?: string;
  /** A type, with its collation if it has one: SQL. */
  readonly keyType?: string;
  readonly updatedAt?: string;
  readonly updatedAtType?: string;
}

/** The table of the examples: a key, `title`, `summary`, `tags text[]` and the column that says when a row changed (default `now()`). */
export async function createSourceTable(db: SqlDatabase, shape: SourceTableShape = {}): Promise<void> {
  const schema = shape.schema ?? 'public';
  if (schema !== 'public') await sql`CREATE SCHEMA IF NOT EXISTS ${sql.id(schema)}`.execute(db.kysely);
  const keyType = sql.raw(shape.keyType ?? 'bigint');
  const versionType = sql.raw(shape.updatedAtType ?? 'timestamptz');
  await sql`CREATE TABLE ${sql.id(schema, shape.name ?? 'ai_items')} (
    ${sql.id(shape.key ?? 'id')} ${keyType} PRIMARY KEY,
    title text,
    summary text,
    tags text[],
    ${sql.id(shape.updatedAt ?? 'updated_at')} ${versionType} DEFAULT now()
  )`.execute(db.kysely);
}
