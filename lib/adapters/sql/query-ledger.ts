import { type RawBuilder, sql } from 'kysely';
import type { QueryEntry, QueryLedger } from '../../ports/embedding-service.ts';
import type { QueryTotals } from '../../ports/report-store.ts';
import type { SqlDatabase } from './database.ts';
import { arrayLiteral } from './fragments.ts';

export function createQueryLedger(db: SqlDatabase): QueryLedger {
  return { enter: entries => enterQueries(db, entries) };
}

/** Enters what queries cost in one statement; an entry that is there already stays as it is. */
async function enterQueries(db: SqlDatabase, entries: readonly QueryEntry[]): Promise<void> {
  await sql`
    INSERT INTO freshet.query_ledger (entry_id, model_alias, calls, texts, tokens, cost_usd)
    SELECT * FROM unnest(${arrayLiteral(entries.map(entry => entry.entryId))}::uuid[],
                         ${arrayLiteral(entries.map(entry => entry.modelAlias))}::text[],
                         ${arrayLiteral(entries.map(entry => entry.calls))}::bigint[],
                         ${arrayLiteral(entries.map(entry => entry.texts))}::bigint[],
                         ${arrayLiteral(entries.map(entry => entry.tokens))}::bigint[],
                         ${arrayLiteral(entries.map(entry => entry.costUsd))}::float8[])
    ON CONFLICT (entry_id) DO NOTHING`.execute(db.kysely);
}

/** The end of the last hour of queries that was summed up; NULL: none was. */
const summedUntil = sql`(SELECT max(u.hour) + interval '1 hour' FROM freshet.query_spending AS u)`;

/** Renders what queries cost since a moment, which is the beginning of an hour in UTC. */
export function renderQueriesUsd(since: RawBuilder<unknown>): RawBuilder<number> {
  return sql<number>`(
    (SELECT coalesce(sum(q.cost_usd), 0) FROM freshet.query_spending AS q WHERE q.hour >= ${since})
    + (SELECT coalesce(sum(q.cost_usd), 0) FROM freshet.query_ledger AS q
        WHERE q.recorded_at >= greatest(${since}, ${summedUntil})))`;
}

/** Minutes after which an hour is summed up: no statement that enters lasts longer. */
const SUMMED_AFTER_MINUTES = 15;

/** Days for which entries are kept: one that is written again after them would count twice. */
const KEPT_DAYS = 7;

/**
 * Sums up the hours that are over, and deletes entries that were summed up long ago.
 * Of two that do so at once, one does it. An entry that nobody summed up in these days is summed
 * up by the statement that deletes it, because both read it as it was before.
 */
export async function sumUpQueries(db: SqlDatabase): Promise<void> {
  await sql`
    WITH deleted AS (
      DELETE FROM freshet.query_ledger
       WHERE recorded_at < now() - make_interval(days => ${KEPT_DAYS}::int)
    )
    INSERT INTO freshet.query_spending (hour, model_alias, calls, texts, tokens, cost_usd)
    SELECT date_trunc('hour', q.recorded_at AT TIME ZONE 'UTC') AT TIME ZONE 'UTC', q.model_alias,
           sum(q.calls), sum(q.texts), sum(q.tokens), sum(q.cost_usd)
      FROM freshet.query_ledger AS q
     WHERE q.recorded_at >= coalesce(${summedUntil}, '-infinity')
       AND q.recorded_at < date_trunc('hour', (now() - make_interval(mins => ${SUMMED_AFTER_MINUTES}::int))
                                              AT TIME ZONE 'UTC') AT TIME ZONE 'UTC'
     GROUP BY 1, 2
    ON CONFLICT (hour, model_alias) DO NOTHING`.execute(db.kysely);
}

/** Reads what queries cost so far, and of it what they cost since midnight UTC. */
export async function readQueries(db: SqlDatabase): Promise<QueryTotals> {
  const today = sql`date_trunc('day', now() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC'`;
  const { rows } = await sql<QueryTotals>`
    SELECT coalesce(sum(q.calls), 0)::float8 AS "providerCalls",
           coalesce(sum(q.tokens), 0)::float8 AS tokens,
           coalesce(sum(q.cost_usd), 0)::float8 AS "costUsd",
           coalesce(sum(q.cost_usd) FILTER (WHERE q.at >= ${today}), 0)::float8 AS "costUsdToday"
      FROM (SELECT hour AS at, calls, tokens, cost_usd FROM freshet.query_spending
            UNION ALL
            SELECT recorded_at, calls, tokens, cost_usd FROM freshet.query_ledger
             WHERE recorded_at >= coalesce(${summedUntil}, '-infinity')) AS q`.execute(db.kysely);
  const [totals] = rows;
  if (totals === undefined) throw new Error('A statement without FROM condition gave no row.');
  return totals;
}
