import { sql } from 'kysely';
import type { SourceConfig } from '../../core/config/pipeline-config.ts';
import type { SqlDatabase } from './database.ts';
import { arrayLiteral, renderText } from './fragments.ts';
import { keyColumnsOf, listKey } from './key-columns.ts';
import { resolveSource } from './resolve-source.ts';

/** The text columns of some rows of a source, as text; arrays are joined as their recipe does. */
export interface TextRows {
  readonly columns: readonly string[];
  readonly rows: readonly (readonly (string | null)[])[];
}

/**
 * Reads the text columns of the first rows of a source, by its key.
 * Nothing is written, and schema `freshet` need not exist.
 * @throws UsageError as `resolveSource`, where the source does not fit its configuration.
 */
export async function readTextRows(
  db: SqlDatabase,
  config: SourceConfig,
  mostRows: number,
): Promise<TextRows> {
  const source = await resolveSource(db, config);
  const found = await sql<{ texts: string }>`
    SELECT json_build_array(${sql.join(source.textColumns.map(renderText))})::text AS texts
      FROM ${sql.id(source.schema, source.table)} AS s
     ORDER BY ${listKey(keyColumnsOf(source).source)} LIMIT ${mostRows}::int`.execute(db.kysely);
  return {
    columns: source.textColumns.map(({ name }) => name),
    rows: found.rows.map(({ texts }) => JSON.parse(texts) as (string | null)[]),
  };
}

/** The table of copied texts. Its own columns have names that no text column is likely to have. */
const COPY = { name: 'freshet_copy', key: 'freshet_copy_id', updatedAt: 'freshet_copy_updated_at' } as const;

/**
 * Makes a table of copied texts in another database, in the place of the one before.
 * All that was embedded in that database is forgotten: schema `freshet` goes, and the views.
 * Returns the source as the other database has it, under the same name and recipe.
 */
export async function replaceTextCopy(
  db: SqlDatabase,
  source: SourceConfig,
  viewSchema: string,
  { columns, rows }: TextRows,
): Promise<SourceConfig> {
  const { name, text, models, overLimit } = source;
  const table = sql.id('public', COPY.name);
  const texts = columns.map(column => sql.id(column));
  const lists = columns.map((_, place) => sql`${arrayLiteral(rows.map(row => row[place] ?? null))}::text[]`);
  await sql`DROP SCHEMA IF EXISTS ${sql.id(viewSchema)}, freshet CASCADE`.execute(db.kysely);
  await sql`DROP TABLE IF EXISTS ${table}`.execute(db.kysely);
  await sql`CREATE TABLE ${table} (
    ${sql.id(COPY.key)} bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    ${sql.id(COPY.updatedAt)} timestamptz NOT NULL DEFAULT now(),
    ${sql.join(texts.map(column => sql`${column} text`))}
  )`.execute(db.kysely);
  await sql`INSERT INTO ${table} (${sql.join(texts)}) SELECT * FROM unnest(${sql.join(lists)})`.execute(
    db.kysely,
  );
  await sql`CREATE INDEX ON ${table} (${sql.id(COPY.updatedAt)}, ${sql.id(COPY.key)})`.execute(db.kysely);
  const { key, updatedAt } = COPY;
  return { name, text, models, overLimit, table: { schema: 'public', name: COPY.name }, key, updatedAt };
}
