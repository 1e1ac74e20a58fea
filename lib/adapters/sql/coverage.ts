import { type RawBuilder, sql } from 'kysely';
import { FreshetError } from '../../core/errors.ts';
import type { Space } from '../../core/model.ts';
import { coveragePercent } from '../../core/outcomes.ts';
import type { HeldRows } from '../../core/run-end.ts';
import type { KeyRange } from '../../ports/detection-store.ts';
import type { Coverage } from '../../ports/report-store.ts';
import type { SqlDatabase } from './database.ts';
import { divideRange } from './divide-range.ts';
import { mayBeOfOneRow } from './divide-rows.ts';
import { excludedOutcomes } from './fragments.ts';
import { areEqual, keyColumnsOf } from './key-columns.ts';
import { isLive } from './leases.ts';
import { quoteSpace } from './quote-space.ts';

type Counts = Record<'eligible' | 'fresh' | 'stale' | 'in_flight' | 'failed' | 'excluded', number>;
type CountedRows = Counts & { readonly last_update: string | null };

const NO_ROWS: Counts = { eligible: 0, fresh: 0, stale: 0, in_flight: 0, failed: 0, excluded: 0 };

/**
 * Reads the coverage of the space; where that fails for one row, of its keys in parts.
 * A row that cannot be looked at counts as stale: it is eligible, and nobody knows its version.
 */
export async function readCoverage(db: SqlDatabase, space: Space): Promise<Coverage> {
  const row = await countDivided(db, space);
  return {
    source: space.source.name,
    model: space.model.alias,
    eligible: row.eligible,
    fresh: row.fresh,
    stale: row.stale,
    inFlight: row.in_flight,
    failed: row.failed,
    excluded: row.excluded,
    coveragePercent: coveragePercent(row.fresh, row.eligible, row.excluded),
    lastUpdate: row.last_update,
  };
}

async function countDivided(db: SqlDatabase, space: Space): Promise<CountedRows> {
  const whole = { after: null, through: null };
  let first: unknown;
  try {
    return await countClasses(db, space, whole);
  } catch (error) {
    if (!mayBeOfOneRow(error)) throw error;
    first = error;
  }
  const keys = keyColumnsOf(space.source);
  const sum = { ...NO_ROWS };
  const updates: string[] = [];
  const { skipped, stoppedAt } = await divideRange(db, keys, whole, {
    async work(part) {
      const counts = await countClasses(db, space, part);
      for (const name of Object.keys(sum) as (keyof Counts)[]) sum[name] += counts[name];
      if (counts.last_update !== null) updates.push(counts.last_update);
    },
    keysWithin: part => sql`SELECT ${keys.carry(keys.source)} FROM ${quoteSpace(space).source} AS s
      WHERE true${keys.within(keys.source, part)}`,
  });
  // What is left out would make the percentage too high.
  if (stoppedAt !== null) throw first;
  return {
    ...sum,
    eligible: sum.eligible + skipped.length,
    stale: sum.stale + skipped.length,
    last_update: updates.toSorted().at(-1) ?? null,
  };
}

/**
 * Counts the source rows of each class in one snapshot; each row has one class.
 * Rows of a key that stands twice have failed. A stale row that is on its way counts as in flight.
 * An outcome counts only while it is that of the row's version. A text over the limit counts as
 * excluded, like an empty text.
 * The statement reads both tables whole, with parallel workers: nothing in it may keep it to one.
 * They group rows by what tells the classes apart, and the class is told of each group: by a class
 * worked out of each row the planner expects as many groups as rows, and takes no workers. It is
 * for people, and for a schedule only under a time limit.
 */
async function countClasses(db: SqlDatabase, space: Space, part: KeyRange): Promise<CountedRows> {
  const { source } = space;
  const keys = keyColumnsOf(space.source);
  const isFailed = await renderDoubledClass(db, space);
  const { rows } = await sql<CountedClass>`
    SELECT CASE
             WHEN doubled THEN 'failed'
             WHEN NOT is_current THEN CASE WHEN leased THEN 'in_flight' ELSE 'stale' END
             WHEN outcome = 'embedded' THEN 'fresh'
             WHEN outcome IN (${excludedOutcomes}) THEN 'excluded'
             ELSE 'failed'
           END AS class, rows, "lastUpdate"
      FROM (SELECT v.outcome, ${isFailed} AS doubled, l.item_id IS NOT NULL AS leased,
                   v.item_id IS NOT NULL
                     AND v.source_version IS NOT DISTINCT FROM s.${sql.id(source.versionColumn)}
                     AS is_current,
                   count(*)::float8 AS rows, max(v.embedded_at)::text AS "lastUpdate"
              FROM ${quoteSpace(space).source} AS s
              LEFT JOIN ${sql.id('freshet', space.vectorTable)} v
                ON ${areEqual(keys.stored('v'), keys.source)} AND v.chunk = 0
              LEFT JOIN (SELECT l.item_id FROM freshet.leases l
                          WHERE l.space_id = ${space.spaceId} AND ${isLive()}) l
                ON l.item_id = ${keys.leaseId}
             WHERE true${keys.within(keys.source, part)}
             GROUP BY 1, 2, 3, 4) AS grouped`.execute(db.kysely);
  const counts = { ...NO_ROWS };
  for (const { class: name, rows: count } of rows) {
    counts[name] += count;
    counts.eligible += count;
  }
  const updates = rows.flatMap(({ lastUpdate }) => lastUpdate ?? []);
  return { ...counts, last_update: updates.toSorted().at(-1) ?? null };
}

interface CountedClass {
  readonly class: Exclude<keyof Counts, 'eligible'>;
  readonly rows: number;
  readonly lastUpdate: string | null;
}

/**
 * Renders whether row `s` is of a key that stands twice, by its outcome or by another row's.
 * No parallel worker may ask for another row's outcome, because that question depends on the row.
 * It is left out where no key stands twice, as nearly always.
 */
async function renderDoubledClass(db: SqlDatabase, space: Space): Promise<RawBuilder<boolean>> {
  const { isDoubled, isUnembedded, vectors } = quoteSpace(space);
  const { rows } = await sql`SELECT FROM ${vectors} AS v WHERE ${isDoubled} LIMIT 1`.execute(db.kysely);
  return rows.length === 0
    ? isDoubled
    : sql<boolean>`(${isDoubled} OR (v.item_id IS NULL AND NOT ${isUnembedded}))`;
}

/**
 * Rows of source and outcomes that no server reads for a count in a millisecond.
 * More than twice as many as were measured, at a load of 27 on two processors.
 */
const MOST_ROWS_PER_MS = 6_000;

/**
 * Reads the coverage of the space within a time limit.
 * A row that cannot be looked at fails it: to count in parts takes much longer. A count is not
 * begun where statistics and sizes of the tables say that it cannot end in time.
 * @throws FreshetError where the database takes longer than `timeoutMs` (`sqlstate_57014`).
 */
export async function readCoverageWithin(
  db: SqlDatabase,
  space: Space,
  timeoutMs: number,
): Promise<Coverage> {
  return db.kysely.transaction().execute(async transaction => {
    // On its own: a statement's limit is that of its beginning, and the sizes below wait for locks.
    await sql`SELECT set_config('statement_timeout', ${String(Math.ceil(timeoutMs))}, true)`.execute(
      transaction,
    );
    const { rows } = await sql<{ likelyRows: number }>`
      WITH RECURSIVE tables (oid) AS (
        VALUES (${space.source.tableOid}::oid), (${`freshet.${space.vectorTable}`}::regclass::oid)
        UNION SELECT i.inhrelid FROM pg_inherits AS i JOIN tables AS t ON i.inhparent = t.oid
      )
      SELECT coalesce(sum(c.reltuples / c.relpages
               * pg_relation_size(c.oid) / current_setting('block_size')::int), 0)::float8 AS "likelyRows"
        FROM tables AS t JOIN pg_class AS c ON c.oid = t.oid
       WHERE c.reltuples > 0 AND c.relpages > 0`.execute(transaction);
    const { likelyRows = 0 } = rows[0] ?? {};
    if (likelyRows > MOST_ROWS_PER_MS * timeoutMs) throw describeUncountable(space, likelyRows, timeoutMs);
    return readCoverage({ ...db, kysely: transaction }, space);
  });
}

/** Describes a count that was not begun, with the code of one that took too long. */
function describeUncountable({ source }: Space, likelyRows: number, timeoutMs: number): FreshetError {
  const rows = `about ${Math.round(likelyRows)} rows and outcomes`;
  return new FreshetError(`Source "${source.name}": ${rows} are not counted within ${timeoutMs} ms.`, {
    ...{ failureClass: 'transient', code: 'sqlstate_57014' },
  });
}

/** Reads the coverage of the space, 0 to 100, within a time limit, as `readCoverageWithin` does. */
export async function readCoveragePercent(db: SqlDatabase, space: Space, timeoutMs: number): Promise<number> {
  return (await readCoverageWithin(db, space, timeoutMs)).coveragePercent;
}

/**
 * Counts the stale rows that another run, or the deployed pipeline, has leased, or that wait for a
 * batch. A lease can outlive its work: where the row is fresh by now, or gone, there is nothing to
 * wait for. Each lease costs two look-ups by key, and `maxInFlight` bounds how many leases there
 * are.
 */
export async function countHeldElsewhere(db: SqlDatabase, space: Space, runId: number): Promise<HeldRows> {
  const { source, vectors, isStale } = quoteSpace(space);
  const keys = keyColumnsOf(space.source);
  const { rows } = await sql<HeldRows>`
    SELECT count(*) FILTER (WHERE l.run_id IS NOT NULL)::int AS "byRuns",
           count(*) FILTER (WHERE l.run_id IS NULL AND l.waits_for IS NULL)::int AS "byPipeline",
           count(*) FILTER (WHERE l.waits_for IS NOT NULL)::int AS "byBatches"
      FROM freshet.leases AS l
      JOIN ${source} AS s ON ${areEqual(keys.source, keys.leased)}
      LEFT JOIN ${vectors} AS v ON ${areEqual(keys.stored('v'), keys.source)} AND v.chunk = 0
     WHERE l.space_id = ${space.spaceId}::int AND ${isLive()} AND l.run_id IS DISTINCT FROM ${runId}::int
       AND ${isStale}`.execute(db.kysely);
  return rows[0] ?? { byRuns: 0, byPipeline: 0, byBatches: 0 };
}
