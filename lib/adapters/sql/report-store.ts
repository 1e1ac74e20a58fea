import { randomUUID } from 'node:crypto';
import { type RawBuilder, sql } from 'kysely';
import type { Space } from '../../core/model.ts';
import { DUPLICATE_KEY, failureOfOutcome } from '../../core/outcomes.ts';
import type { FailureGroup, LedgerTotals, ReportStore } from '../../ports/report-store.ts';
import { readSpending } from './caps.ts';
import { countHeldElsewhere, readCoverage, readCoverageWithin } from './coverage.ts';
import type { SqlDatabase } from './database.ts';
import { neverVersion } from './fragments.ts';
import { renderLost } from './grants.ts';
import { areEqual, type KeyColumns, keyColumnsOf, listKey } from './key-columns.ts';
import { readModelFlows } from './model-flow.ts';
import { necessaryUsd } from './necessary-spending.ts';
import { readQueries } from './query-ledger.ts';
import { quoteSpace } from './quote-space.ts';

export function createReportStore(db: SqlDatabase): ReportStore {
  return {
    readCoverage: (space, timeoutMs) =>
      timeoutMs === undefined ? readCoverage(db, space) : readCoverageWithin(db, space, timeoutMs),
    countHeldElsewhere: (space, runId) => countHeldElsewhere(db, space, runId),
    readFailures: (space, exampleLimit) => readFailures(db, space, exampleLimit),
    retryFailures: (space, filter) => retryFailures(db, space, filter),
    readLedger: space => readLedger(db, space),
    readSpending: caps => readSpending(db, caps),
    readQueries: () => readQueries(db),
    readRate: space => readRate(db, space),
    readFlows: spaces => readModelFlows(db, spaces),
  };
}

/**
 * Counts the rows whose present version failed, by cause, most frequent first.
 * Rows that were edited since wait for another attempt and are not listed. A key that stands twice
 * counts with all its rows. Every name is qualified: the source may have a column `code` of its
 * own.
 */
async function readFailures(
  db: SqlDatabase,
  space: Space,
  exampleLimit: number,
): Promise<readonly FailureGroup[]> {
  const { source } = space;
  const keys = keyColumnsOf(space.source);
  const found = await sql<Omit<FailureGroup, 'exampleIds'> & { exampleIds: string }>`
    WITH failed AS (
      ${renderFailedOutcomes(space)}
    ), numbered AS (
      SELECT *, row_number() OVER (PARTITION BY failure_class, code ORDER BY ${keys.storedNames}) AS place
        FROM failed
    )
    SELECT numbered.failure_class AS "failureClass", numbered.code, count(*)::float8 AS rows,
           coalesce(json_agg(${keys.text(keys.stored('numbered'))} ORDER BY numbered.place)
                      FILTER (WHERE numbered.place <= ${exampleLimit}::int),
                    '[]')::text AS "exampleIds",
           max(numbered.read_at)::text AS "lastAt"
      FROM numbered
      JOIN ${quoteSpace(space).source} AS s ON ${areEqual(keys.source, keys.stored('numbered'))}
       AND (s.${sql.id(source.versionColumn)} IS NOT DISTINCT FROM numbered.source_version
            OR (numbered.code = ${failureOfOutcome(DUPLICATE_KEY)?.code} AND numbered.source_xid IS NOT NULL))
     GROUP BY numbered.failure_class, numbered.code
     ORDER BY count(*) DESC, numbered.failure_class, numbered.code`.execute(db.kysely);
  return found.rows.map(row => ({
    ...row,
    exampleIds: [...new Set(JSON.parse(row.exampleIds) as string[])],
  }));
}

/**
 * Makes failed rows stale and forgets their verdicts; resolves with the number of rows.
 * One statement does all of it. The outcome rows stay stale until they are written again. The
 * verdicts are forgotten for other rows with the same text too, but the outcomes of those rows stay
 * until they are retried or edited. An expired lease makes the next incremental pass find each row.
 * A row that is on its way keeps its lease. A row that was retried and is still stale is not
 * counted again.
 */
async function retryFailures(
  db: SqlDatabase,
  space: Space,
  filter: Parameters<ReportStore['retryFailures']>[1],
): Promise<number> {
  const vectors = sql.id('freshet', space.vectorTable);
  const keys = keyColumnsOf(space.source);
  const stored = keys.stored('v');
  const never = neverVersion(space);
  const limit = filter.limit === undefined ? sql`` : sql` LIMIT ${filter.limit}::int`;
  const retried = await sql<{ rows: number }>`
    WITH failed AS (
      ${renderFailedOutcomes(space)}
    ), chosen AS (
      SELECT ${listKey(stored)}, v.chunk FROM ${vectors} v
       WHERE v.outcome <> 'embedded' AND v.source_version IS DISTINCT FROM ${never}
         AND (${listKey(stored)}, v.chunk) IN
             (SELECT ${listKey(stored)}, v.chunk FROM failed v WHERE ${renderFilter(keys, filter)})
       ORDER BY ${listKey(stored)}, v.chunk${limit} FOR UPDATE
    ), outcomes AS (
      UPDATE ${vectors} v SET source_version = ${never}, source_xid = NULL
        FROM chosen c WHERE ${areEqual(stored, keys.stored('c'))} AND v.chunk = c.chunk
      RETURNING ${listKey(stored)}, v.content_hash
    ), verdicts AS (
      DELETE FROM freshet.failures f USING outcomes o
       WHERE f.space_id = ${space.spaceId} AND f.content_hash = o.content_hash
    ), leases AS (
      INSERT INTO freshet.leases (space_id, item_id, dispatch_id, lane, stage, attempts, expires_at)
      SELECT DISTINCT ${space.spaceId}::int, ${keys.text(keys.stored('o'))}, ${randomUUID()}::uuid,
             'fresh', 'queued', 0, now()
        FROM outcomes o ORDER BY 2
      ON CONFLICT (space_id, item_id) DO UPDATE
        SET dispatch_id = excluded.dispatch_id, stage = 'queued', attempts = 0
        WHERE leases.expires_at <= now()
    )
    SELECT count(*)::float8 AS rows FROM (SELECT DISTINCT ${keys.storedNames} FROM outcomes) AS o`.execute(
    db.kysely,
  );
  return retried.rows[0]?.rows ?? 0;
}

function renderFilter(
  keys: KeyColumns,
  filter: Parameters<ReportStore['retryFailures']>[1],
): RawBuilder<unknown> {
  const conditions = [
    // As `isOfCause` of the core says, on the class and code that `renderFailedOutcomes` gives.
    ...(filter.cause === undefined ? [] : [sql`${filter.cause} IN (v.failure_class, v.code)`]),
    ...(filter.itemId === undefined ? [] : [keys.isNamed(keys.stored('v'), filter.itemId)]),
  ];
  return conditions.length === 0 ? sql`true` : sql.join(conditions, sql` AND `);
}

/**
 * Selects the outcome rows that count as failed, with the class and code that people see.
 * `refused:<code>` has class `item`. `undelivered` (embedding began five times and never ended) is
 * both class and code. `undelivered:<code>` has class `undelivered` and the code of an outage.
 */
function renderFailedOutcomes(space: Space): RawBuilder<unknown> {
  const keys = keyColumnsOf(space.source);
  return sql`
    SELECT ${listKey(keys.stored('v'))}, v.chunk, v.content_hash, v.source_version, v.source_xid, v.read_at,
           CASE WHEN v.outcome LIKE 'refused:%' THEN 'item' ELSE 'undelivered' END AS failure_class,
           regexp_replace(v.outcome, '^[a-z]+:', '') AS code
      FROM ${sql.id('freshet', space.vectorTable)} v
     WHERE v.outcome <> 'embedded' AND (v.outcome LIKE 'undelivered%' OR v.outcome LIKE 'refused:%')`;
}

/** Seconds over which the rate of a space is taken: as long as a stage's ticks are apart. */
const RATE_SECONDS = 300;

/** Adds up the rows of the space's latest calls, by the ledger's index on (space, time). */
async function readRate(db: SqlDatabase, space: Space): Promise<number> {
  const { rows } = await sql<{ items: number }>`
    SELECT coalesce(sum(items), 0)::float8 AS items FROM freshet.ledger
     WHERE space_id = ${space.spaceId}::int AND outcome = 'ok'
       AND recorded_at > now() - ${RATE_SECONDS}::float8 * interval '1 second'`.execute(db.kysely);
  return (rows[0]?.items ?? 0) / RATE_SECONDS;
}

/** Adds up the space's calls and the grants of calls whose answer is lost. */
async function readLedger(db: SqlDatabase, space: Space): Promise<LedgerTotals> {
  const totals = await sql<LedgerTotals>`
    SELECT (SELECT count(*)::float8 FROM freshet.ledger WHERE space_id = ${space.spaceId}) AS "providerCalls",
           (SELECT coalesce(sum(tokens), 0)::float8
              FROM freshet.ledger WHERE space_id = ${space.spaceId}) AS tokens,
           (SELECT coalesce(sum(cost_usd), 0)
              FROM freshet.ledger WHERE space_id = ${space.spaceId}) AS "costUsd",
           (SELECT coalesce(sum(${necessaryUsd}), 0)
              FROM freshet.ledger AS l WHERE l.space_id = ${space.spaceId}) AS "necessaryUsd",
           g.calls AS "paidAndLostCalls", g.cost AS "paidAndLostCostUsd"
      FROM (SELECT count(*)::float8 AS calls, coalesce(sum(estimated_cost_usd), 0) AS cost
              FROM freshet.grants AS g
             WHERE g.space_id = ${space.spaceId} AND ${renderLost()}) g`.execute(db.kysely);
  const row = totals.rows[0];
  if (row === undefined) throw new Error('A statement without FROM condition gave no row.');
  return row;
}
