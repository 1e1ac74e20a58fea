import { sql } from 'kysely';
import type { Space } from '../../../core/model/space.ts';
import type { ResetSelection } from '../../../ports/reset-store.ts';
import { quoteSpace } from '../quoted-space.ts';
import type { SqlDatabase } from '../sql-database.ts';
import { isChosen } from './chosen-outcomes.ts';

/**
 * Resets one batch of outcomes in the order of the key; `cursor` null: no batch is left.
 * Each batch is one short transaction. Its rows are locked in the order of their keys, as
 * everywhere.
 * The vector stays where it is and is found until the new one is written. Without its hash, no
 * touch and no copy takes the vector for current. The reconcile pass finds the rows.
 */
export async function resetOutcomes(
  db: SqlDatabase,
  space: Space,
  selection: ResetSelection,
  batch: { readonly after: string | null; readonly limit: number },
): Promise<{ rows: number; cursor: string | null }> {
  const { vectors, keyType } = quoteSpace(space);
  const behind = batch.after === null ? sql`` : sql` AND v.item_id > ${batch.after}::${keyType}`;
  const { rows } = await sql<{ rows: number; last: string | null }>`
    WITH chosen AS MATERIALIZED (
      SELECT v.item_id FROM ${vectors} AS v
       WHERE ${isChosen(selection)}${behind}
       ORDER BY v.item_id LIMIT ${batch.limit}::int
         FOR UPDATE
    ), stale AS (
      UPDATE ${vectors} AS v SET source_version = '-infinity', source_xid = NULL, content_hash = NULL
        FROM chosen AS c WHERE v.item_id = c.item_id
    )
    SELECT count(*)::float8 AS rows,
           (SELECT item_id::text FROM chosen ORDER BY chosen.item_id DESC LIMIT 1) AS last
      FROM chosen`.execute(db.kysely);
  const { rows: count = 0, last = null } = rows[0] ?? {};
  return { rows: count, cursor: count < batch.limit ? null : last };
}
