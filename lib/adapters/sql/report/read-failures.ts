import { sql } from 'kysely';
import type { Space } from '../../../core/model/space.ts';
import type { FailureGroup } from '../../../ports/report-store.ts';
import type { SqlDatabase } from '../sql-database.ts';
import { failedOutcomes } from './failed-outcomes.ts';

/**
 * Counts the rows whose present version failed, by cause, most frequent first.
 * Rows that were edited since wait for another attempt and are not listed.
 */
export async function readFailures(
  db: SqlDatabase,
  space: Space,
  exampleLimit: number,
): Promise<readonly FailureGroup[]> {
  const { source } = space;
  const found = await sql<Omit<FailureGroup, 'exampleIds'> & { exampleIds: string }>`
    WITH failed AS (
      ${failedOutcomes(space)}
    ), numbered AS (
      SELECT *, row_number() OVER (PARTITION BY failure_class, code ORDER BY item_id) AS place FROM failed
    )
    SELECT failure_class AS "failureClass", code, count(*)::float8 AS rows,
           coalesce(json_agg(item_id::text ORDER BY place) FILTER (WHERE place <= ${exampleLimit}::int), '[]')::text AS "exampleIds",
           max(read_at)::text AS "lastAt"
      FROM numbered
      JOIN ${sql.id(source.schema, source.table)} s ON s.${sql.id(source.keyColumn)} = numbered.item_id
       AND s.${sql.id(source.versionColumn)} IS NOT DISTINCT FROM numbered.source_version
     GROUP BY failure_class, code
     ORDER BY count(*) DESC, failure_class, code`.execute(db.kysely);
  return found.rows.map(row => ({ ...row, exampleIds: JSON.parse(row.exampleIds) as string[] }));
}
