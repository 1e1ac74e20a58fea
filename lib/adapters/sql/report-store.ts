import { randomUUID } from 'node:crypto';
import { type RawBuilder, sql } from 'kysely';
import { UsageError } from '../../core/errors.ts';
import type { Space } from '../../core/model.ts';
import type { FailureGroup, LedgerTotals, ReportStore, SearchHit } from '../../ports/report-store.ts';
import { countHeldElsewhere, readCoverage } from './coverage.ts';
import type { SqlDatabase } from './database.ts';
import { renderText } from './fragments.ts';

export function createReportStore(db: SqlDatabase): ReportStore {
  return {
    readCoverage: space => readCoverage(db, space),
    countHeldElsewhere: (space, runId) => countHeldElsewhere(db, space, runId),
    readFailures: (space, exampleLimit) => readFailures(db, space, exampleLimit),
    retryFailures: (space, filter) => retryFailures(db, space, filter),
    readLedger: space => readLedger(db, space),
    search: (space, queryVector, limit) => searchSpace(db, space, queryVector, limit),
  };
}

/**
 * Counts the rows whose present version failed, by cause, most frequent first.
 * Rows that were edited since wait for another attempt and are not listed.
 */
async function readFailures(
  db: SqlDatabase,
  space: Space,
  exampleLimit: number,
): Promise<readonly FailureGroup[]> {
  const { source } = space;
  const found = await sql<Omit<FailureGroup, 'exampleIds'> & { exampleIds: string }>`
    WITH failed AS (
      ${renderFailedOutcomes(space)}
    ), numbered AS (
      SELECT *, row_number() OVER (PARTITION BY failure_class, code ORDER BY item_id) AS place FROM failed
    )
    SELECT failure_class AS "failureClass", code, count(*)::float8 AS rows,
           coalesce(json_agg(item_id::text ORDER BY place) FILTER (WHERE place <= ${exampleLimit}::int),
                    '[]')::text AS "exampleIds",
           max(read_at)::text AS "lastAt"
      FROM numbered
      JOIN ${sql.id(source.schema, source.table)} s ON s.${sql.id(source.keyColumn)} = numbered.item_id
       AND s.${sql.id(source.versionColumn)} IS NOT DISTINCT FROM numbered.source_version
     GROUP BY failure_class, code
     ORDER BY count(*) DESC, failure_class, code`.execute(db.kysely);
  return found.rows.map(row => ({ ...row, exampleIds: JSON.parse(row.exampleIds) as string[] }));
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
  const limit = filter.limit === undefined ? sql`` : sql` LIMIT ${filter.limit}::int`;
  const retried = await sql<{ rows: number }>`
    WITH failed AS (
      ${renderFailedOutcomes(space)}
    ), chosen AS (
      SELECT v.item_id, v.chunk FROM ${vectors} v
       WHERE v.outcome <> 'embedded' AND v.source_version IS DISTINCT FROM '-infinity'
         AND (v.item_id, v.chunk) IN (SELECT v.item_id, v.chunk FROM failed v WHERE ${renderFilter(filter)})
       ORDER BY v.item_id, v.chunk${limit} FOR UPDATE
    ), outcomes AS (
      UPDATE ${vectors} v SET source_version = '-infinity', source_xid = NULL
        FROM chosen c WHERE v.item_id = c.item_id AND v.chunk = c.chunk
      RETURNING v.item_id, v.content_hash
    ), verdicts AS (
      DELETE FROM freshet.failures f USING outcomes o
       WHERE f.space_id = ${space.spaceId} AND f.content_hash = o.content_hash
    ), leases AS (
      INSERT INTO freshet.leases (space_id, item_id, dispatch_id, lane, stage, attempts, expires_at)
      SELECT DISTINCT ${space.spaceId}::int, o.item_id::text, ${randomUUID()}::uuid,
             'fresh', 'queued', 0, now()
        FROM outcomes o ORDER BY 2
      ON CONFLICT (space_id, item_id) DO UPDATE
        SET dispatch_id = excluded.dispatch_id, stage = 'queued', attempts = 0
        WHERE leases.expires_at <= now()
    )
    SELECT count(DISTINCT item_id)::float8 AS rows FROM outcomes`.execute(db.kysely);
  return retried.rows[0]?.rows ?? 0;
}

function renderFilter(filter: Parameters<ReportStore['retryFailures']>[1]): RawBuilder<unknown> {
  const conditions = [
    // As `isOfCause` of the core says, on the class and code that `renderFailedOutcomes` gives.
    ...(filter.cause === undefined ? [] : [sql`${filter.cause} IN (v.failure_class, v.code)`]),
    ...(filter.itemId === undefined ? [] : [sql`v.item_id::text = ${filter.itemId}`]),
  ];
  return conditions.length === 0 ? sql`true` : sql.join(conditions, sql` AND `);
}

/**
 * Selects the outcome rows that count as failed, with the class and code that people see.
 * `refused:<code>` has class `item`. `undelivered` (embedding began five times and never ended) is
 * both class and code. `undelivered:<code>` has class `undelivered` and the code of an outage.
 */
function renderFailedOutcomes(space: Space): RawBuilder<unknown> {
  return sql`
    SELECT v.item_id, v.chunk, v.content_hash, v.source_version, v.read_at,
           CASE WHEN v.outcome LIKE 'refused:%' THEN 'item' ELSE 'undelivered' END AS failure_class,
           regexp_replace(v.outcome, '^[a-z]+:', '') AS code
      FROM ${sql.id('freshet', space.vectorTable)} v
     WHERE v.outcome LIKE 'undelivered%' OR v.outcome LIKE 'refused:%'`;
}

/**
 * Minutes after which a grant that nobody settled belongs to a call whose answer is lost.
 * A call, the queue of its result and the writer together take less.
 */
const LOST_AFTER_MINUTES = 15;

/** Adds up the space's calls and the grants of calls whose answer is lost. */
async function readLedger(db: SqlDatabase, space: Space): Promise<LedgerTotals> {
  const totals = await sql<LedgerTotals>`
    SELECT (SELECT count(*)::float8 FROM freshet.ledger WHERE space_id = ${space.spaceId}) AS "providerCalls",
           (SELECT coalesce(sum(tokens), 0)::float8
              FROM freshet.ledger WHERE space_id = ${space.spaceId}) AS tokens,
           (SELECT coalesce(sum(cost_usd), 0)
              FROM freshet.ledger WHERE space_id = ${space.spaceId}) AS "costUsd",
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

/**
 * Finds the rows whose vectors are nearest to the query by cosine distance.
 * `queryVector` is float32, little-endian. Rows whose source row is gone are not found. With an
 * HNSW index the search goes on until there are `limit` rows.
 * @throws UsageError where the query has other dimensions than the space's model.
 */
async function searchSpace(
  db: SqlDatabase,
  space: Space,
  queryVector: Buffer,
  limit: number,
): Promise<readonly SearchHit[]> {
  const { source, model } = space;
  if (queryVector.length !== model.dimensions * 4) {
    throw new UsageError(
      `The query has ${queryVector.length / 4} dimensions, model "${model.alias}" of source ` +
        `"${source.name}" has ${model.dimensions}.`,
    );
  }
  return db.kysely.transaction().execute(async transaction => {
    // An HNSW scan would else end after 40 candidates, however many of them the join hides.
    await sql`SET LOCAL hnsw.iterative_scan = strict_order`.execute(transaction);
    const found = await sql<{ id: string; similarity: number; columns: string }>`
      SELECT v.item_id::text AS id,
             1 - (v.embedding <=> ${encodeQueryVector(queryVector)}::vector) AS similarity,
             json_build_array(${sql.join(source.textColumns.map(renderText))})::text AS columns
        FROM ${sql.id('freshet', space.vectorTable)} v
        JOIN ${sql.id(source.schema, source.table)} s ON s.${sql.id(source.keyColumn)} = v.item_id
       WHERE v.outcome = 'embedded' AND v.chunk = 0
       ORDER BY v.embedding <=> ${encodeQueryVector(queryVector)}::vector
       LIMIT ${limit}::int`.execute(transaction);
    return found.rows.map(row => ({ ...row, columns: JSON.parse(row.columns) as (string | null)[] }));
  });
}

/**
 * Encodes a query vector as pgvector's binary `vector`, and leaves the input as it is.
 * In: float32, little-endian. Out: int16 dimensions, a reserved int16 and float32, all big-endian,
 * as in pgvector's `vector_recv`.
 */
function encodeQueryVector(vector: Buffer): Buffer {
  const header = Buffer.alloc(4);
  header.writeInt16BE(vector.length / 4, 0);
  return Buffer.concat([header, Buffer.from(vector).swap32()]);
}
