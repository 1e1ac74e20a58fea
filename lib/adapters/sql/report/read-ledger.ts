import { sql } from 'kysely';
import type { Space } from '../../../core/model/space.ts';
import type { LedgerTotals } from '../../../ports/report-store.ts';
import type { SqlDatabase } from '../sql-database.ts';

/**
 * Minutes after which a grant that nobody settled belongs to a call whose answer is lost.
 * A call, the queue of its result and the writer together take less.
 */
const LOST_AFTER_MINUTES = 15;

/** Adds up the space's calls and the grants of calls whose answer is lost. */
export async function readLedger(db: SqlDatabase, space: Space): Promise<LedgerTotals> {
  const totals = await sql<LedgerTotals>`
    SELECT (SELECT count(*)::float8 FROM freshet.ledger WHERE space_id = ${space.spaceId}) AS "providerCalls",
           (SELECT coalesce(sum(tokens), 0)::float8 FROM freshet.ledger WHERE space_id = ${space.spaceId}) AS tokens,
           (SELECT coalesce(sum(cost_usd), 0) FROM freshet.ledger WHERE space_id = ${space.spaceId}) AS "costUsd",
           g.calls AS "paidAndLostCalls", g.cost AS "paidAndLostCostUsd",
           (SELECT max(embedded_at)::text FROM ${sql.id('freshet', space.vectorTable)}) AS "lastUpdate"
      FROM (SELECT count(*)::float8 AS calls, coalesce(sum(estimated_cost_usd), 0) AS cost
              FROM freshet.grants
             WHERE space_id = ${space.spaceId}
               AND granted_at < now() - make_interval(mins => ${LOST_AFTER_MINUTES})) g`.execute(db.kysely);
  const row = totals.rows[0];
  if (row === undefined) throw new Error('A statement without FROM condition gave no row.');
  return row;
}
