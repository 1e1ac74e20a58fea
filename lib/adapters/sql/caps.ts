import { type RawBuilder, sql } from 'kysely';
import { type Cap, percentOf } from '../../core/budget.ts';
import { BUDGET_PAUSE } from '../../core/control.ts';
import type { Spending } from '../../ports/report-store.ts';
import type { SqlDatabase } from './database.ts';
import { arrayLiteral } from './fragments.ts';
import { renderQueriesUsd } from './query-ledger.ts';

/** Renders caps as rows `c` of scope, source, period, usd and sentence, in their order. */
function renderCaps(caps: readonly Cap[]): RawBuilder<unknown> {
  return sql`unnest(${arrayLiteral(caps.map(cap => cap.scope))}::text[],
                    ${arrayLiteral(caps.map(cap => cap.source))}::text[],
                    ${arrayLiteral(caps.map(cap => cap.period))}::text[],
                    ${arrayLiteral(caps.map(cap => cap.usd))}::float8[],
                    ${arrayLiteral(caps.map(cap => cap.sentence))}::text[])
    WITH ORDINALITY AS c (scope, source, period, usd, sentence, place)`;
}

/** When the period of cap `c` began. */
const periodStart = sql`(date_trunc(c.period, now() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC')`;

/** When it ends, as ISO 8601 has it. */
const periodEnd = sql<string>`to_char(
  date_trunc(c.period, now() AT TIME ZONE 'UTC') + ('1 ' || c.period)::interval,
  'YYYY-MM-DD"T"HH24:MI:SS"Z"')`;

/** The space of row `t` of ledger or grants is one that cap `c` is about. */
const isCapped = sql`(c.source IS NULL OR t.space_id IN (
  SELECT space_id FROM freshet.spaces WHERE source_name = c.source))`;

/**
 * Minutes after which an hour is summed up.
 * A row of the ledger has the time at which its transaction began, and few last longer.
 */
const SUMMED_AFTER_MINUTES = 15;
/**
 * Hours that are summed up again by each tick.
 * A transaction that lasted longer, or a clock that stepped back, leaves rows in an hour that was
 * summed up before.
 */
const SUMMED_AGAIN_HOURS = 3;

/** The end of the last hour that may be summed up by now. */
const closedUntil = sql`date_trunc('hour', (now() - make_interval(mins => ${SUMMED_AFTER_MINUTES}::int))
                                          AT TIME ZONE 'UTC') AT TIME ZONE 'UTC'`;

/**
 * The end of the last hour that was summed up; NULL: none was.
 * Sums of later hours are of a clock that was ahead: the ledger itself counts there.
 */
const summedUntil = sql`(SELECT max(s.hour) + interval '1 hour' FROM freshet.spending AS s
                          WHERE s.hour < ${closedUntil})`;

/**
 * Renders what was spent on cap `c` in its period: settled calls, and calls that are open or lost.
 * Ledger and grant of a call change hands in one transaction, so that it counts once. The hours
 * that are summed up come from their sums, since each grant asks: a million rows of the ledger take
 * a quarter of a second. What searches and clients had embedded is of no source, and counts where
 * all sources together are capped.
 */
const spentUsd = sql<number>`(
  (SELECT coalesce(sum(t.cost_usd), 0) FROM freshet.spending AS t
    WHERE t.hour >= ${periodStart} AND t.hour < ${closedUntil} AND ${isCapped})
  + (SELECT coalesce(sum(t.cost_usd), 0) FROM freshet.ledger AS t
      WHERE t.recorded_at >= greatest(${periodStart}, ${summedUntil}) AND ${isCapped})
  + (SELECT coalesce(sum(t.estimated_cost_usd), 0) FROM freshet.grants AS t
      WHERE t.granted_at >= ${periodStart} AND ${isCapped})
  + CASE WHEN c.source IS NULL THEN ${renderQueriesUsd(periodStart)} ELSE 0 END)`;

/**
 * Renders the first of the caps that a call of this cost would go beyond, and no row otherwise.
 * Workers that ask at the same moment do not see each other's grants: each may go beyond a cap by
 * one call. A call that costs nothing is never refused.
 */
export function renderReachedCap(caps: readonly Cap[], costUsd: number): RawBuilder<unknown> {
  return sql`SELECT c.scope, c.sentence FROM ${renderCaps(caps)}
     WHERE ${costUsd}::float8 > 0 AND ${spentUsd} + ${costUsd}::float8 > c.usd
     ORDER BY c.place LIMIT 1`;
}

/**
 * Sums up the hours of the ledger that are over, and the last of them again.
 * Two that do so at once come to the same sums.
 */
export async function sumUpSpending(db: SqlDatabase): Promise<void> {
  await sql`
    INSERT INTO freshet.spending (hour, space_id, cost_usd)
    SELECT date_trunc('hour', t.recorded_at AT TIME ZONE 'UTC') AT TIME ZONE 'UTC', t.space_id,
           sum(t.cost_usd)
      FROM freshet.ledger AS t
     WHERE t.recorded_at >= least(coalesce(${summedUntil}, '-infinity'),
                                  ${closedUntil} - make_interval(hours => ${SUMMED_AGAIN_HOURS}::int))
       AND t.recorded_at < ${closedUntil}
     GROUP BY 1, 2
    ON CONFLICT (hour, space_id) DO UPDATE SET cost_usd = excluded.cost_usd
     WHERE abs(spending.cost_usd - excluded.cost_usd) > 1e-9`.execute(db.kysely);
}

/** Reads what was spent on each cap in its period so far. */
export async function readSpending(db: SqlDatabase, caps: readonly Cap[]): Promise<readonly Spending[]> {
  if (caps.length === 0) return [];
  const { rows } = await sql<Omit<Spending, 'percent'>>`
    SELECT c.scope, c.period, c.usd AS "capUsd", ${spentUsd} AS "spentUsd", ${periodEnd} AS "endsAt"
      FROM ${renderCaps(caps)} ORDER BY c.place`.execute(db.kysely);
  return rows.map(row => ({ ...row, percent: percentOf(row) }));
}

/**
 * Lifts the pauses of caps whose period is over, or that the configuration no longer has so.
 * Resolves with their number. Nothing is added up: the next call is refused again where the new
 * cap is reached too.
 */
export async function liftBudgetPauses(db: SqlDatabase, caps: readonly Cap[]): Promise<number> {
  const { rows } = await sql<{ lifted: number }>`
    WITH lifted AS (
      DELETE FROM freshet.control AS p
       WHERE p.reason = ${BUDGET_PAUSE}::text
         AND NOT EXISTS (SELECT FROM ${renderCaps(caps)}
                          WHERE c.scope = p.scope AND c.sentence = p.detail AND p.since >= ${periodStart})
      RETURNING 1
    )
    SELECT count(*)::int AS lifted FROM lifted`.execute(db.kysely);
  return rows[0]?.lifted ?? 0;
}
