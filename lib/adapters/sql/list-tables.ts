import { sql } from 'kysely';
import type { TableFacts } from '../../core/config/judge-tables.ts';
import type { ResolvedSource } from '../../core/model.ts';
import type { SqlDatabase } from './database.ts';
import { quoteName, renderText } from './fragments.ts';
import { VIEW_COMMENT } from './source-view.ts';

/**
 * Lists the application's tables and views, with all that decides whether one can be a source.
 * Left out are system schemas and temporary ones, schema `freshet` and Freshet's own views, what
 * extensions have, and the partitions of a table, which is listed itself. The statement reads
 * `pg_catalog` alone: it takes no lock on a table, and needs no right to read one.
 */
export async function listTables(db: SqlDatabase): Promise<readonly TableFacts[]> {
  const { rows } = await sql<{ facts: string }>`
    SELECT json_build_object(
             'schema', n.nspname, 'name', c.relname, 'role', current_user,
             'relation', CASE c.relkind WHEN 'v' THEN 'view' WHEN 'f' THEN 'foreign table'
                                        WHEN 'm' THEN 'materialized view' END,
             'rows', CASE WHEN c.reltuples >= 0 THEN c.reltuples::float8 END,
             'bytes', (SELECT coalesce(sum(pg_catalog.pg_total_relation_size(part.relid)), 0)
                         FROM pg_catalog.pg_partition_tree(c.oid) AS part),
             'isSchemaUsable', pg_catalog.has_schema_privilege(n.oid, 'USAGE'),
             'isReadable', pg_catalog.has_table_privilege(c.oid, 'SELECT'),
             'columns', (
               SELECT coalesce(json_agg(json_build_object(
                        'name', a.attname,
                        'type', format_type(a.atttypid, a.atttypmod),
                        'baseType', format_type(a.atttypid, NULL),
                        'elementType', CASE WHEN t.typcategory = 'A' THEN format_type(t.typelem, NULL) END,
                        'isString', coalesce(e.typcategory, t.typcategory) = 'S',
                        'notNull', a.attnotnull) ORDER BY a.attnum), '[]')
                 FROM pg_catalog.pg_attribute AS a
                 JOIN pg_catalog.pg_type AS t ON t.oid = a.atttypid
                 LEFT JOIN pg_catalog.pg_type AS e ON e.oid = t.typelem AND t.typcategory = 'A'
                WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped),
             'uniqueIndexes', (
               SELECT coalesce(json_agg(json_build_object(
                        'isPrimary', i.indisprimary,
                        'columns', (SELECT json_agg(a.attname ORDER BY k.place)
                                      FROM unnest(i.indkey::int2[]) WITH ORDINALITY AS k (attnum, place)
                                      JOIN pg_catalog.pg_attribute AS a
                                        ON a.attrelid = i.indrelid AND a.attnum = k.attnum
                                     WHERE k.place <= i.indnkeyatts)) ORDER BY i.indexrelid), '[]')
                 FROM pg_catalog.pg_index AS i
                WHERE i.indrelid = c.oid AND i.indisunique AND i.indisvalid
                  AND i.indpred IS NULL AND i.indexprs IS NULL))::text AS facts
      FROM pg_catalog.pg_class AS c
      JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
     WHERE c.relkind IN ('r', 'p', 'v', 'f', 'm') AND NOT c.relispartition
       AND coalesce(pg_catalog.obj_description(c.oid, 'pg_class'), '') <> ${VIEW_COMMENT}
       AND n.nspname NOT IN ('information_schema', 'freshet') AND n.nspname NOT LIKE 'pg\\_%'
       AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend AS d
                        WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid
                          AND d.deptype = 'e')
     ORDER BY n.nspname, c.relname`.execute(db.kysely);
  return rows.map(row => describeTable(JSON.parse(row.facts) as ListedTable));
}

type ListedTable = Omit<TableFacts, 'quotedName' | 'missingGrants' | 'relation'> & {
  readonly relation: NonNullable<TableFacts['relation']> | null;
  readonly role: string;
  readonly isSchemaUsable: boolean;
  readonly isReadable: boolean;
};

function describeTable({ role, isSchemaUsable, isReadable, relation, ...facts }: ListedTable): TableFacts {
  const quotedName = quoteName(facts.schema, facts.name);
  const reader = quoteName(role);
  return {
    ...facts,
    ...(relation !== null && { relation }),
    quotedName,
    missingGrants: [
      ...(isSchemaUsable ? [] : [`GRANT USAGE ON SCHEMA ${quoteName(facts.schema)} TO ${reader};`]),
      ...(isReadable ? [] : [`GRANT SELECT ON ${quotedName} TO ${reader};`]),
    ],
  };
}

/** How much text a source has; the lengths are those of a mean text. */
interface TextMeasure {
  readonly rows: number;
  /** False: the planner's estimate, and nothing is known of equal texts. */
  readonly isCounted: boolean;
  /** Texts that differ. */
  readonly texts: number;
  /** Rows without any text. */
  readonly empty: number;
  readonly characters: number;
  readonly bytes: number;
}

/** Rows up to which they are counted; of more, the planner knows how many. */
const COUNTED_ROWS = 100_000;
/** Rows whose texts are measured where they are too many to be counted. */
const MEASURED_ROWS = 500;
/** Characters that are measured of a text: longer ones are cut by most models. */
const MEASURED_CHARACTERS = 100_000;

/**
 * Measures the texts of a source: all of them, each once, or of a large table its first rows.
 * The lengths are measured by the server: no text leaves it.
 */
export async function measureTexts(db: SqlDatabase, source: ResolvedSource): Promise<TextMeasure> {
  const table = sql.id(source.schema, source.table);
  const { rows: counted } = await sql<{ rows: number }>`
    SELECT count(*)::float8 AS rows
      FROM (SELECT FROM ${table} LIMIT ${COUNTED_ROWS + 1}::int) AS counted`.execute(db.kysely);
  const isCounted = (counted[0]?.rows ?? 0) <= COUNTED_ROWS;
  const text = sql`concat_ws(E'\n', ${sql.join(source.textColumns.map(renderText))})`;
  const { rows } = await sql<Omit<TextMeasure, 'isCounted'>>`
    WITH texts AS (
      SELECT count(*) AS rows, max(char_length(body)) AS characters, max(octet_length(body)) AS bytes,
             bool_or(body ~ '\\S') AS is_text
        FROM (SELECT left(${text}, ${MEASURED_CHARACTERS}::int) AS body FROM ${table} AS s
               LIMIT ${isCounted ? COUNTED_ROWS : MEASURED_ROWS}::int) AS read
       GROUP BY md5(body)
    )
    SELECT coalesce(sum(rows), 0)::float8 AS rows, (count(*) FILTER (WHERE is_text))::float8 AS texts,
           coalesce(sum(rows) FILTER (WHERE NOT is_text), 0)::float8 AS empty,
           coalesce(avg(characters) FILTER (WHERE is_text), 0)::float8 AS characters,
           coalesce(avg(bytes) FILTER (WHERE is_text), 0)::float8 AS bytes
      FROM texts`.execute(db.kysely);
  const measured = rows[0] ?? { rows: 0, texts: 0, empty: 0, characters: 0, bytes: 0 };
  if (isCounted) return { ...measured, isCounted };
  const estimated = await estimateRows(db, source);
  const empty = Math.round((estimated * measured.empty) / Math.max(1, measured.rows));
  return { ...measured, rows: estimated, texts: estimated - empty, empty, isCounted };
}

/** The planner's estimate, which follows the size of the table where the last ANALYZE is old. */
async function estimateRows(db: SqlDatabase, source: ResolvedSource): Promise<number> {
  const { rows } = await sql<{ 'QUERY PLAN': unknown }>`
    EXPLAIN (FORMAT JSON) SELECT FROM ${sql.id(source.schema, source.table)}`.execute(db.kysely);
  const printed = rows[0]?.['QUERY PLAN'];
  const [planned] = (typeof printed === 'string' ? JSON.parse(printed) : printed) as [
    { readonly Plan: { readonly 'Plan Rows': number } },
  ];
  return Math.max(COUNTED_ROWS, planned.Plan['Plan Rows']);
}
