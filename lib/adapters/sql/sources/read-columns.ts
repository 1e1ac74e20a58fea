import { sql } from 'kysely';
import type { SqlDatabase } from '../sql-database.ts';

export interface TableColumn {
  readonly name: string;
  /** Type with its modifier, as `character varying(20)`. */
  readonly type: string;
  /** Type without its modifier. */
  readonly baseType: string;
  /** Type of the elements of an array; null for other types. */
  readonly elementType: string | null;
  readonly notNull: boolean;
}

export async function readColumns(db: SqlDatabase, tableOid: number): Promise<readonly TableColumn[]> {
  const found = await sql<TableColumn>`
    SELECT a.attname::text AS name,
           format_type(a.atttypid, a.atttypmod) AS type,
           format_type(a.atttypid, NULL) AS "baseType",
           CASE WHEN t.typcategory = 'A' THEN format_type(t.typelem, NULL) END AS "elementType",
           a.attnotnull AS "notNull"
      FROM pg_attribute a
      JOIN pg_type t ON t.oid = a.atttypid
     WHERE a.attrelid = ${tableOid}::oid AND a.attnum > 0 AND NOT a.attisdropped
     ORDER BY a.attnum`.execute(db.kysely);
  return found.rows;
}
