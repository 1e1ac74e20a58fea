import { sql } from 'kysely';
import type { Space } from '../../../core/model/space.ts';
import type { HeldRows } from '../../../core/run-end.ts';
import { liveLease } from '../live-lease.ts';
import { quoteSpace } from '../quoted-space.ts';
import type { SqlDatabase } from '../sql-database.ts';

/**
 * Counts the stale rows that another run, or the deployed pipeline, has leased.
 *
 * A lease may outlive the work: one whose row is fresh by now, or gone, is nothing to wait for. Each lease
 * costs two look-ups by key, and `maxInFlight` bounds how many there are.
 */
export async function countHeldElsewhere(db: SqlDatabase, space: Space, runId: number): Promise<HeldRows> {
  const { source, vectors, key, version, leasedKey } = quoteSpace(space);
  const { rows } = await sql<HeldRows>`
    SELECT count(*) FILTER (WHERE l.run_id IS NOT NULL)::int AS "byRuns",
           count(*) FILTER (WHERE l.run_id IS NULL)::int AS "byPipeline"
      FROM freshet.leases AS l
      JOIN ${source} AS s ON ${key} = ${leasedKey}
      LEFT JOIN ${vectors} AS v ON v.item_id = ${key} AND v.chunk = 0
     WHERE l.space_id = ${space.spaceId}::int AND ${liveLease()} AND l.run_id IS DISTINCT FROM ${runId}::int
       AND (v.item_id IS NULL OR v.source_version IS DISTINCT FROM ${version}
         OR v.source_xid IS DISTINCT FROM s.xmin)`.execute(db.kysely);
  return rows[0] ?? { byRuns: 0, byPipeline: 0 };
}
