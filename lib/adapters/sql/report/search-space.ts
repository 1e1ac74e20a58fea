import { type RawBuilder, sql } from 'kysely';
import { UsageError } from '../../../core/errors/usage-error.ts';
import type { Space, TextColumn } from '../../../core/model/space.ts';
import type { SearchHit } from '../../../ports/report-store.ts';
import type { SqlDatabase } from '../sql-database.ts';
import { encodeQueryVector } from './encode-query-vector.ts';

/**
 * Finds the rows whose vectors are nearest to the query by cosine distance.
 * `queryVector` is float32, little-endian. Rows whose source row is gone are not found. With an
 * HNSW index the search goes on until there are `limit` rows.
 * @throws UsageError where the query has other dimensions than the space's model.
 */
export async function searchSpace(
  db: SqlDatabase,
  space: Space,
  queryVector: Buffer,
  limit: number,
): Promise<readonly SearchHit[]> {
  const { source, model } = space;
  if (queryVector.length !== model.dimensions * 4) {
    throw new UsageError(
      `The query has ${queryVector.length / 4} dimensions, model "${model.alias}" of source "${source.name}" has ${model.dimensions}.`,
    );
  }
  return db.kysely.transaction().execute(async transaction => {
    // An HNSW scan would else end after 40 candidates, however many of them the join hides.
    await sql`SET LOCAL hnsw.iterative_scan = strict_order`.execute(transaction);
    const found = await sql<{ id: string; similarity: number; columns: string }>`
      SELECT v.item_id::text AS id, 1 - (v.embedding <=> ${encodeQueryVector(queryVector)}::vector) AS similarity,
             json_build_array(${sql.join(source.textColumns.map(renderColumn))})::text AS columns
        FROM ${sql.id('freshet', space.vectorTable)} v
        JOIN ${sql.id(source.schema, source.table)} s ON s.${sql.id(source.keyColumn)} = v.item_id
       WHERE v.outcome = 'embedded' AND v.chunk = 0
       ORDER BY v.embedding <=> ${encodeQueryVector(queryVector)}::vector
       LIMIT ${limit}::int`.execute(transaction);
    return found.rows.map(row => ({ ...row, columns: JSON.parse(row.columns) as (string | null)[] }));
  });
}

function renderColumn(column: TextColumn): RawBuilder<unknown> {
  const reference = sql`s.${sql.id(column.name)}`;
  return column.isArray ? sql`array_to_string(${reference}, ', ')` : sql`${reference}::text`;
}
