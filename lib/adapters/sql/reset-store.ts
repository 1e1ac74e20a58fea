import { type RawBuilder, sql } from 'kysely';
import type { Space } from '../../core/model.ts';
import type { ResetPlan, ResetSelection, ResetStore } from '../../ports/report-store.ts';
import type { SqlDatabase } from './database.ts';
import { excludedOutcomes, neverVersion } from './fragments.ts';
import { areEqual, keyColumnsOf, listKey } from './key-columns.ts';
import { quoteSpace } from './quote-space.ts';

export function createResetStore(db: SqlDatabase): ResetStore {
  return {
    plan: (space, selection) => planReset(db, space, selection),
    reset: (space, selection, batch) => resetOutcomes(db, space, selection, batch),
  };
}

/**
 * Counts the rows that a reset takes, and the texts and tokens that must be bought for them.
 * A text is bought once for all its rows, and not at all where a row outside the selection keeps
 * its vector. The tokens of a text are the most that one of its rows has. Where none of them has
 * any, four characters count as one token.
 */
async function planReset(db: SqlDatabase, space: Space, selection: ResetSelection): Promise<ResetPlan> {
  const { vectors } = quoteSpace(space);
  const keys = keyColumnsOf(space.source);
  const { rows } = await sql<ResetPlan>`
    WITH texts AS (
      SELECT count(*) FILTER (WHERE ${isChosen(space, selection)}) AS rows,
             NOT bool_and(${isChosen(space, selection)}) AS kept, v.outcome = 'embedded' AS bought,
             coalesce(nullif(max(v.tokens), 0), ceil(max(v.kept_length) / 4.0)) AS tokens
        FROM ${vectors} AS v
       GROUP BY v.content_hash, v.outcome, 
                CASE WHEN v.content_hash IS NULL THEN ${keys.text(keys.stored('v'))} END
    )
    SELECT coalesce(sum(rows), 0)::float8 AS rows,
           count(*) FILTER (WHERE rows > 0 AND bought AND NOT kept)::float8 AS texts,
           coalesce(sum(rows) FILTER (WHERE bought AND kept), 0)::float8 AS copied,
           coalesce(sum(rows) FILTER (WHERE NOT bought), 0)::float8 AS excluded,
           coalesce(sum(tokens) FILTER (WHERE rows > 0 AND bought AND NOT kept), 0)::float8 AS tokens
      FROM texts`.execute(db.kysely);
  return rows[0] ?? { rows: 0, texts: 0, copied: 0, excluded: 0, tokens: 0 };
}

/**
 * Resets one batch of outcomes in the order of the key; `cursor` null: no batch is left.
 * Each batch is one short transaction. Its rows are locked in the order of their keys, as
 * everywhere.
 * The vector stays where it is and is found until the new one is written. Without its hash, no
 * touch and no copy takes the vector for current. The reconcile pass finds the rows.
 */
async function resetOutcomes(
  db: SqlDatabase,
  space: Space,
  selection: ResetSelection,
  batch: { readonly after: string | null; readonly limit: number },
): Promise<{ rows: number; cursor: string | null }> {
  const { vectors } = quoteSpace(space);
  const keys = keyColumnsOf(space.source);
  const stored = keys.stored('v');
  const last = keys.stored('c').map(part => sql`${part} DESC`);
  const { rows } = await sql<{ rows: number; last: string | null }>`
    WITH chosen AS MATERIALIZED (
      SELECT ${listKey(stored)} FROM ${vectors} AS v
       WHERE ${isChosen(space, selection)}${keys.within(stored, { after: batch.after, through: null })}
       ORDER BY ${listKey(stored)} LIMIT ${batch.limit}::int
         FOR UPDATE
    ), stale AS (
      UPDATE ${vectors} AS v
         SET source_version = ${neverVersion(space)}, source_xid = NULL, content_hash = NULL
        FROM chosen AS c WHERE ${areEqual(stored, keys.stored('c'))}
    )
    SELECT count(*)::float8 AS rows,
           (SELECT ${keys.text(keys.stored('c'))} FROM chosen AS c ORDER BY ${listKey(last)} LIMIT 1) AS last
      FROM chosen`.execute(db.kysely);
  const { rows: count = 0, last: cursor = null } = rows[0] ?? {};
  return { rows: count, cursor: count < batch.limit ? null : cursor };
}

/**
 * Renders whether a reset takes outcome `v`.
 * A reset takes no outcome that failed (`retry` is for those), that is of a row which is gone, or
 * that was reset already. `olderThan` means the time of the vector, or of the reading where there
 * is no vector.
 */
function isChosen(space: Space, { olderThan }: ResetSelection): RawBuilder<boolean> {
  const age =
    olderThan === undefined
      ? sql``
      : sql` AND coalesce(v.embedded_at, v.read_at) < ${olderThan}::timestamptz`;
  return sql<boolean>`(v.chunk = 0 AND v.outcome IN ('embedded', ${excludedOutcomes})
    AND v.missing_since IS NULL AND v.source_version IS DISTINCT FROM ${neverVersion(space)}${age})`;
}
