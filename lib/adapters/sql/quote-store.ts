import { sql } from 'kysely';
import type { Space } from '../../core/model.ts';
import type { MeasuredCalls, QuoteStore } from '../../ports/report-store.ts';
import type { SqlDatabase } from './database.ts';
import { renderText } from './fragments.ts';
import { areEqual, keyColumnsOf } from './key-columns.ts';
import { quoteSpace } from './quote-space.ts';
import { nameSourceFault } from './source-faults.ts';

export function createQuoteStore(db: SqlDatabase): QuoteStore {
  return {
    countStaleRows: space => nameSourceFault(db, space, () => countStaleRows(db, space)),
    listStaleRows: (space, parts) => nameSourceFault(db, space, () => listStaleRows(db, space, parts)),
    measureCalls: space => measureCalls(db, space),
  };
}

/** Renders the stale rows of a space, those too that are on their way. */
function renderStaleRows(space: Space) {
  const { source, vectors, isStale } = quoteSpace(space);
  const keys = keyColumnsOf(space.source);
  return sql`${source} AS s
      LEFT JOIN ${vectors} AS v ON ${areEqual(keys.stored('v'), keys.source)} AND v.chunk = 0
     WHERE ${isStale}`;
}

async function countStaleRows(db: SqlDatabase, space: Space): Promise<number> {
  const { rows } = await sql<{ rows: number }>`
    SELECT count(*)::float8 AS rows FROM ${renderStaleRows(space)}`.execute(db.kysely);
  return rows[0]?.rows ?? 0;
}

/**
 * Lists the ids of the stale rows whose texts fall into one part of so many.
 * The hash is of the columns as they stand, so that equal rows fall into one part together.
 */
async function listStaleRows(db: SqlDatabase, space: Space, parts: number): Promise<string[]> {
  const texts = sql.join(space.source.textColumns.map(renderText));
  const isChosen =
    parts === 1
      ? sql`true`
      : sql`abs(hashtextextended(json_build_array(${texts})::text, 0) % ${parts}::bigint) = 0`;
  const keys = keyColumnsOf(space.source);
  const { rows } = await sql<{ id: string }>`
    SELECT DISTINCT ${keys.text(keys.source)} AS id FROM ${renderStaleRows(space)} AND ${isChosen}`.execute(
    db.kysely,
  );
  return rows.map(({ id }) => id);
}

/** The latest calls of a space, from which speed and the error of estimates are learned. */
const MEASURED_CALLS = 1000;

/**
 * Adds up the latest answered calls of a space.
 * Bills and estimates are compared in ten groups of calls, which tells how much they vary.
 */
async function measureCalls(db: SqlDatabase, space: Space): Promise<MeasuredCalls> {
  const { rows } = await sql<MeasuredCalls & { ratios: string }>`
    WITH calls AS (
      SELECT tokens, estimated_tokens, latency_ms, unique_texts,
             ntile(10) OVER (ORDER BY recorded_at, call_id) AS part
        FROM (SELECT * FROM freshet.ledger
               WHERE space_id = ${space.spaceId}::int AND outcome = 'ok' AND tokens > 0
               ORDER BY recorded_at DESC LIMIT ${MEASURED_CALLS}::int) AS latest
    ), parts AS (
      SELECT sum(tokens)::float8 / sum(estimated_tokens) AS ratio
        FROM calls WHERE estimated_tokens > 0 GROUP BY part
    )
    SELECT coalesce(sum(tokens), 0)::float8 AS tokens, coalesce(sum(latency_ms), 0) AS "latencyMs",
           coalesce(sum(tokens) FILTER (WHERE estimated_tokens > 0), 0)::float8 AS "comparedTokens",
           coalesce(sum(estimated_tokens), 0)::float8 AS "estimatedTokens",
           coalesce((SELECT json_agg(ratio) FROM parts), '[]')::text AS ratios
      FROM calls`.execute(db.kysely);
  const [row] = rows;
  if (row === undefined) throw new Error('A statement without FROM condition gave no row.');
  return { ...row, ratios: JSON.parse(row.ratios) as number[] };
}
