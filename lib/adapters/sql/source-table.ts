import { type Kysely, sql } from 'kysely';
import { nearestWord } from '../../core/config/describe-issues.ts';
import type { SourceConfig } from '../../core/config/pipeline-config.ts';
import { UsageError } from '../../core/errors.ts';
import type { ResolvedSource } from '../../core/model.ts';
import { nameAsked, type SqlDatabase } from './database.ts';
import { quoteName } from './fragments.ts';
import type { FreshetTables } from './freshet-tables.ts';

/** A table in the database; `oid` is that of `pg_class`. */
export interface FoundTable {
  readonly oid: number;
  readonly schema: string;
  readonly name: string;
  /** `relkind`. */
  readonly kind: string;
}

/** Kinds of relations (`relkind`) that a source may be, beside an ordinary table. */
export const RELATIONS: Readonly<Record<string, ResolvedSource['relation']>> = {
  p: 'partitioned table',
  v: 'view',
  f: 'foreign table',
};

/** Kinds of relations (`relkind`) that are no table, as people call them. */
const OTHER_KINDS: Readonly<Record<string, string>> = {
  m: 'a materialized view',
  S: 'a sequence',
  c: 'a composite type',
};

/**
 * Finds a table, a view or a foreign table by its exact name.
 * A name without schema is looked up along the role's own search path.
 * @throws UsageError where there is no such table, or the name is that of another relation.
 */
export async function findTable(db: SqlDatabase, config: SourceConfig): Promise<FoundTable> {
  const { schema, name } = splitName(config);
  const schemas = schema === undefined ? await readDefaultSchemas(db.kysely) : [schema];
  const found = await sql<FoundTable>`
    SELECT c.oid::int8::float8 AS oid, n.nspname::text AS schema, c.relname::text AS name,
           c.relkind::text AS kind
      FROM pg_class c
      JOIN pg_namespace n ON n.oid = c.relnamespace
      JOIN json_array_elements_text(${JSON.stringify(schemas)}::json) WITH ORDINALITY AS path (nspname, place)
        ON path.nspname = n.nspname::text
     WHERE c.relname = ${name} AND c.relkind <> 'i' AND c.relkind <> 'I'
     ORDER BY path.place LIMIT 1`.execute(db.kysely);
  const table = found.rows[0];
  if (table === undefined) throw await describeMissing(db, config.name, schema, name);
  if (table.kind === 'r' || RELATIONS[table.kind] !== undefined) return table;
  throw new UsageError(
    `Source "${config.name}": ${quoteName(table.schema, table.name)} is ` +
      `${OTHER_KINDS[table.kind] ?? 'no table'}. A source is a table, a view or a foreign table.`,
  );
}

function splitName(config: SourceConfig): { schema: string | undefined; name: string } {
  if (typeof config.table !== 'string') return { schema: config.table.schema, name: config.table.name };
  const parts = config.table.split('.');
  const [first = '', second] = parts;
  if (parts.length > 2) {
    throw new UsageError(
      `Source "${config.name}": table "${config.table}" has more than one dot. Write it as table: { ` +
        "schema: '…', name: '…' }.",
    );
  }
  return second === undefined ? { schema: undefined, name: first } : { schema: first, name: second };
}

/**
 * Reads the schemas of the role's own search path.
 * The path of the session is Freshet's. A reset of the path gives the role's own.
 */
async function readDefaultSchemas(kysely: Kysely<FreshetTables>): Promise<string[]> {
  return kysely.transaction().execute(async transaction => {
    await sql`SET LOCAL search_path TO DEFAULT`.execute(transaction);
    const found = await sql<{ schemas: string }>`
      SELECT to_json(pg_catalog.current_schemas(false))::text AS schemas`.execute(transaction);
    return JSON.parse(found.rows[0]?.schemas ?? '[]') as string[];
  });
}

async function describeMissing(
  db: SqlDatabase,
  source: string,
  schema: string | undefined,
  name: string,
): Promise<UsageError> {
  const tables = await sql<{ schema: string; name: string }>`
    SELECT n.nspname::text AS schema, c.relname::text AS name
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relkind IN ('r', 'p', 'v', 'f')
       AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'freshet')
       AND n.nspname NOT LIKE 'pg\\_%'
     ORDER BY 1, 2`.execute(db.kysely);
  const namesakes = tables.rows.filter(table => table.name.toLowerCase() === name.toLowerCase());
  const candidates = (namesakes.length > 0 ? namesakes : tables.rows).map(
    table => `${table.schema}.${table.name}`,
  );
  const wanted = schema === undefined ? name : `${schema}.${name}`;
  const suggestion = suggestNames(schema === undefined ? `public.${name}` : wanted, candidates);
  return new UsageError(`Source "${source}": table "${wanted}" does not exist${suggestion}.${nameAsked(db)}`);
}

export interface TableColumn {
  readonly name: string;
  /** Type with its modifier, as `character varying(20)`. */
  readonly type: string;
  /** Type without its modifier. */
  readonly baseType: string;
  /** Type of the elements of an array; null for other types. */
  readonly elementType: string | null;
  readonly notNull: boolean;
  /** Whether the collation takes texts for equal that differ. */
  readonly isLoose: boolean;
}

export async function readColumns(db: SqlDatabase, tableOid: number): Promise<readonly TableColumn[]> {
  const found = await sql<TableColumn>`
    SELECT a.attname::text AS name,
           format_type(a.atttypid, a.atttypmod) AS type,
           format_type(a.atttypid, NULL) AS "baseType",
           CASE WHEN t.typcategory = 'A' THEN format_type(t.typelem, NULL) END AS "elementType",
           a.attnotnull AS "notNull",
           NOT coalesce(c.collisdeterministic, true) AS "isLoose"
      FROM pg_attribute a
      JOIN pg_type t ON t.oid = a.atttypid
      LEFT JOIN pg_collation c ON c.oid = a.attcollation
     WHERE a.attrelid = ${tableOid}::oid AND a.attnum > 0 AND NOT a.attisdropped
     ORDER BY a.attnum`.execute(db.kysely);
  return found.rows;
}

/** Ends a sentence about a missing name with the nearest existing name, else the first three. */
export function suggestNames(wanted: string, existing: readonly string[]): string {
  if (existing.length === 0) return ' (there is none)';
  const nearest = nearestWord(wanted, existing);
  if (nearest !== undefined) return `; nearest: "${nearest}"`;
  const first = existing.slice(0, 3).map(name => `"${name}"`);
  return `; there ${existing.length > 3 ? `are ${existing.length}, among them` : 'is'} ${first.join(', ')}`;
}
