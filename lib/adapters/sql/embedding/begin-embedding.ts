import { sql } from 'kysely';
import type { Space } from '../../../core/model/space.ts';
import { leasesOf } from '../detection/lock-leases.ts';
import { prepared } from '../prepared.ts';
import type { SqlDatabase } from '../sql-database.ts';

/**
 * Seconds that a function may run at the longest, which is the limit of AWS Lambda.
 * Nobody else takes up the rows during this time, however late their message came.
 */
const LONGEST_EMBEDDING_SECONDS = 900;

/**
 * Takes up the ids whose lease is the dispatch's, and resolves with these ids.
 * A lease that expired and was not taken over is still this dispatch's.
 */
export async function beginEmbedding(
  db: SqlDatabase,
  space: Space,
  dispatchId: string,
  ids: readonly string[],
): Promise<string[]> {
  const { rows } = await sql<{ id: string }>`${prepared}
    UPDATE freshet.leases AS l SET
      stage = 'embedding',
      expires_at = greatest(l.expires_at, now() + ${LONGEST_EMBEDDING_SECONDS}::float8 * interval '1 second')
    WHERE ${leasesOf(space, dispatchId, ids)} AND l.stage <> 'announced'
    RETURNING l.item_id AS id`.execute(db.kysely);
  const taken = new Set(rows.map(row => row.id));
  return [...new Set(ids)].filter(id => taken.has(id));
}
