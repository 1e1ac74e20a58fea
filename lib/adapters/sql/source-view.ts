import { type RawBuilder, sql, type Transaction } from 'kysely';
import { UsageError } from '../../core/errors.ts';
import type { Space } from '../../core/model.ts';
import { dropSourceView } from './drop-view.ts';
import { quoteName } from './fragments.ts';
import type { FreshetTables } from './freshet-tables.ts';
import { storedColumn } from './key-columns.ts';

/** Stands on each view that Freshet made. */
export const VIEW_COMMENT = 'Vectors that Freshet keeps; replaced when another space becomes active.';

/**
 * Makes the view that applications join, unless the view is right already.
 * Each part of the key has its own column's name, so that `USING` works. The vector is cast to its
 * type without modifier, so that a space with other dimensions can replace it. The model and
 * the time stand beside the vector. The view does not mention the source table, and so never
 * stands in the way of the application's own migrations.
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
  const { keyColumns } = space.source;
  const shown = renderShown(space);
  const columns = [...keyColumns.map(({ name }) => name), ...Object.keys(shown)];
  const shape = `${columns.join(',')}:${keyColumns.map(({ type }) => type).join(',')}`;
  const parts = keyColumns.map(
    (column, place) => sql`${sql.id(storedColumn(place))} AS ${sql.id(column.name)}`,
  );
  if (existing?.current === true && existing.shape === shape) return;
  if (!(await schemaExists(transaction, schema))) {
    await sql`CREATE SCHEMA ${sql.id(schema)}`.execute(transaction);
  }
  const isOther = existing !== undefined && existing.shape !== shape;
  const grants = isOther ? await dropSourceView(transaction, schema, name, columns) : [];
  await sql`CREATE OR REPLACE VIEW ${view} AS
    SELECT ${sql.join([...parts, ...Object.values(shown)])}
      FROM ${sql.id('freshet', space.vectorTable)}
     WHERE outcome = 'embedded' AND chunk = 0`.execute(transaction);
  await sql`COMMENT ON VIEW ${view} IS ${sql.lit(VIEW_COMMENT)}`.execute(transaction);
  for (const grant of grants) await grant.execute(transaction);
}

/**
 * Renders the columns beside the key, by their names, in the order of the view.
 * A view cannot be replaced by one whose vectors are of another type. The two types therefore have
 * another order of columns, which code before `halfvec` tells apart too: where a deployment is
 * rolled back, it drops the view and makes its own.
 */
function renderShown({ model, source }: Space): Readonly<Record<string, RawBuilder<unknown>>> {
  const alias = sql`${sql.lit(model.alias)}::text AS embedding_model`;
  const time = sql`embedded_at AS embedding_updated_at`;
  return source.storage === undefined
    ? { embedding: sql`embedding::vector AS embedding`, embedding_model: alias, embedding_updated_at: time }
    : { embedding_model: alias, embedding: sql`embedding::halfvec AS embedding`, embedding_updated_at: time };
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
    SELECT c.relkind = 'v' AND coalesce(obj_description(c.oid, 'pg_class') = ${VIEW_COMMENT}, false) AS ours,
           (SELECT string_agg(a.attname, ',' ORDER BY a.attnum) || ':' ||
                   string_agg(format_type(a.atttypid, a.atttypmod), ',' ORDER BY a.attnum)
                     FILTER (WHERE a.attnum <= ${space.source.keyColumns.length}::int)
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
