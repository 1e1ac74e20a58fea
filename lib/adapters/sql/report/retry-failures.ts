import { randomUUID } from 'node:crypto';
import { type RawBuilder, sql } from 'kysely';
import type { Space } from '../../../core/model/space.ts';
import type { ReportStore } from '../../../ports/report-store.ts';
import type { SqlDatabase } from '../sql-database.ts';
import { failedOutcomes } from './failed-outcomes.ts';

/**
 * Makes failed rows stale and forgets their verdicts; resolves with the number of rows.
 * One statement does all of it. The outcome rows stay stale until they are written again. The
 * verdicts are forgotten for other rows with the same text too, but the outcomes of those rows stay
 * until they are retried or edited. An expired lease makes the next incremental pass find each row.
 * A row that is on its way keeps its lease. A row that was retried and is still stale is not
 * counted again.
 */
export async function retryFailures(
  db: SqlDatabase,
  space: Space,
  filter: Parameters<ReportStore['retryFailures']>[1],
): Promise<number> {
  const vectors = sql.id('freshet', space.vectorTable);
  const limit = filter.limit === undefined ? sql`` : sql` LIMIT ${filter.limit}::int`;
  const retried = await sql<{ rows: number }>`
    WITH failed AS (
      ${failedOutcomes(space)}
    ), chosen AS (
      SELECT v.item_id, v.chunk FROM ${vectors} v
       WHERE v.outcome <> 'embedded' AND v.source_version IS DISTINCT FROM '-infinity'
         AND (v.item_id, v.chunk) IN (SELECT v.item_id, v.chunk FROM failed v WHERE ${matches(filter)})
       ORDER BY v.item_id, v.chunk${limit} FOR UPDATE
    ), outcomes AS (
      UPDATE ${vectors} v SET source_version = '-infinity', source_xid = NULL
        FROM chosen c WHERE v.item_id = c.item_id AND v.chunk = c.chunk
      RETURNING v.item_id, v.content_hash
    ), verdicts AS (
      DELETE FROM freshet.failures f USING outcomes o
       WHERE f.space_id = ${space.spaceId} AND f.content_hash = o.content_hash
    ), leases AS (
      INSERT INTO freshet.leases (space_id, item_id, dispatch_id, lane, stage, attempts, expires_at)
      SELECT DISTINCT ${space.spaceId}::int, o.item_id::text, ${randomUUID()}::uuid, 'fresh', 'queued', 0, now()
        FROM outcomes o ORDER BY 2
      ON CONFLICT (space_id, item_id) DO UPDATE
        SET dispatch_id = excluded.dispatch_id, stage = 'queued', attempts = 0
        WHERE leases.expires_at <= now()
    )
    SELECT count(DISTINCT item_id)::float8 AS rows FROM outcomes`.execute(db.kysely);
  return retried.rows[0]?.rows ?? 0;
}

function matches(filter: Parameters<ReportStore['retryFailures']>[1]): RawBuilder<unknown> {
  const conditions = [
    // As `isOfCause` of the core says, on the class and code that `failedOutcomes` gives.
    ...(filter.cause === undefined ? [] : [sql`${filter.cause} IN (v.failure_class, v.code)`]),
    ...(filter.itemId === undefined ? [] : [sql`v.item_id::text = ${filter.itemId}`]),
  ];
  return conditions.length === 0 ? sql`true` : sql.join(conditions, sql` AND `);
}
