import { sql } from 'kysely';
import type { Space } from '../../../core/model/space.ts';
import type { ResetPlan, ResetSelection } from '../../../ports/reset-store.ts';
import { quoteSpace } from '../quoted-space.ts';
import type { SqlDatabase } from '../sql-database.ts';
import { isChosen } from './chosen-outcomes.ts';

/**
 * Counts the rows that a reset takes, and the texts and tokens that must be bought for them.
 * A text is bought once for all its rows, and not at all where a row outside the selection keeps
 * its vector. The tokens of a text are the most that one of its rows has. Where none of them has
 * any, four characters count as one token.
 */
export async function planReset(
  db: SqlDatabase,
  space: Space,
  selection: ResetSelection,
): Promise<ResetPlan> {
  const { vectors } = quoteSpace(space);
  const { rows } = await sql<ResetPlan>`
    WITH texts AS (
      SELECT count(*) FILTER (WHERE ${isChosen(selection)}) AS rows,
             v.outcome <> 'embedded' OR NOT bool_and(${isChosen(selection)}) AS kept,
             coalesce(nullif(max(v.tokens), 0), ceil(max(v.kept_length) / 4.0)) AS tokens
        FROM ${vectors} AS v
       GROUP BY v.content_hash, v.outcome, CASE WHEN v.content_hash IS NULL THEN v.item_id END
    )
    SELECT coalesce(sum(rows), 0)::float8 AS rows,
           count(*) FILTER (WHERE rows > 0 AND NOT kept)::float8 AS texts,
           coalesce(sum(tokens) FILTER (WHERE rows > 0 AND NOT kept), 0)::float8 AS tokens
      FROM texts`.execute(db.kysely);
  return rows[0] ?? { rows: 0, texts: 0, tokens: 0 };
}
