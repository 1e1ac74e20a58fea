import { sql, type Transaction } from 'kysely';
import { UsageError } from '../../core/errors.ts';
import type { Space } from '../../core/model.ts';
import { quoteName } from './fragments.ts';
import type { FreshetTables } from './freshet-tables.ts';

/** Columns of the view beside the key, so names that no key may have. */
export const VIEW_COLUMNS: readonly string[] = ['embedding', 'embedding_model', 'embedding_updated_at'];

const COMMENT = 'Vectors that Freshet keeps; replaced when another space becomes active.';

/**
 * Makes the view that applications join, unless the view is right already.
 * The key has its own column's name, so that `USING` works. The vector is cast to `vector` without
 * modifier, so that a space with other dimensions can replace it. The model and the time stand
 * beside the vector. The view does not mention the source table, and so never stands in the way of
 * the application's own migrations.
 * To replace a view needs its owner and a lock that waits for every search. A view that is right
 * already is therefore left alone.
 * @throws UsageError where Freshet did not make the relation that has the view's name.
 */
export async function replaceSourceView(
  transaction: Transaction<FreshetTables>,
  schema: string,
  space: Space,
): Promise<void> {
  const name = space.source.name;
  const view = sql.id(schema, name);
  const existing = await findRelation(transaction, schema, space);
  if (existing !== undefined && !existing.ours) {
    throw new UsageError(
      `Source "${name}": ${quoteName(schema, name)} exists and was not made by Freshet. Rename it, or ` +
        'set another view schema in the configuration.',
    );
  }
  const columns = [space.source.keyColumn, ...VIEW_COLUMNS];
  const shape = `${columns.join(',')}:${space.source.keyType}`;
  if (existing?.current === true && existing.shape === shape) return;
  if (!(await schemaExists(transaction, schema))) {
    await sql`CREATE SCHEMA ${sql.id(schema)}`.execute(transaction);
  }
  if (existing !== undefined && existing.shape !== shape) {
    await sql`DROP VIEW ${view}`.execute(transaction);
  }
  await sql`CREATE OR REPLACE VIEW ${view} AS
    SELECT item_id AS ${sql.id(space.source.keyColumn)}, embedding::vector AS embedding,
           ${sql.lit(space.model.alias)}::text AS embedding_model, embedded_at AS embedding_updated_at
      FROM ${sql.id('freshet', space.vectorTable)}
     WHERE outcome = 'embedded' AND chunk = 0`.execute(transaction);
  await sql`COMMENT ON VIEW ${view} IS ${sql.lit(COMMENT)}`.execute(transaction);
}

interface FoundRelation {
  readonly ours: boolean;
  readonly shape: string;
  /** Whether the view shows this space. */
  readonly current: boolean;
}

async function findRelation(
  transaction: Transaction<FreshetTables>,
  schema: string,
  space: Space,
): Promise<FoundRelation | undefined> {
  const name = space.source.name;
  const found = await sql<FoundRelation>`
    SELECT c.relkind = 'v' AND coalesce(obj_description(c.oid, 'pg_class') = ${COMMENT}, false) AS ours,
           (SELECT string_agg(a.attname, ',' ORDER BY a.attnum) || ':' ||
                   min(format_type(a.atttypid, a.atttypmod)) FILTER (WHERE a.attnum = 1)
              FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0) AS shape,
           CASE WHEN c.relkind = 'v' THEN
             strpos(pg_get_viewdef(c.oid), ${`FROM freshet.${space.vectorTable}`}::text || chr(10)) > 0
             AND strpos(pg_get_viewdef(c.oid),
                        quote_literal(${space.model.alias}::text) || '::text AS embedding_model') > 0
           ELSE false END AS current
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname = ${schema} AND c.relname = ${name}`.execute(transaction);
  return found.rows[0];
}

async function schemaExists(transaction: Transaction<FreshetTables>, schema: string): Promise<boolean> {
  const found = await sql`SELECT 1 FROM pg_namespace WHERE nspname = ${schema}`.execute(transaction);
  return found.rows.length > 0;
}
