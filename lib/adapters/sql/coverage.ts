import { sql } from 'kysely';
import type { Space } from '../../core/model.ts';
import { coveragePercent } from '../../core/outcomes.ts';
import type { HeldRows } from '../../core/run-end.ts';
import type { Coverage } from '../../ports/report-store.ts';
import type { SqlDatabase } from './database.ts';
import { excludedOutcomes, quoteSpace } from './fragments.ts';
import { isLive } from './leases.ts';

/**
 * Counts the source rows of each class in one snapshot; each row has one class.
 * A stale row that is on its way counts as in flight. An outcome counts only while it is that of
 * the row's version. A text over the limit counts as excluded, like an empty text.
 * The statement reads the whole table. It is for people, and for a schedule only under a time
 * limit.
 */
export async function readCoverage(db: SqlDatabase, space: Space): Promise<Coverage> {
  const { source } = space;
  const counted = await sql<
    Record<'eligible' | 'fresh' | 'stale' | 'in_flight' | 'failed' | 'excluded', number>
  >`
    WITH classed AS (
      SELECT CASE
               WHEN v.item_id IS NOT NULL
                AND v.source_version IS NOT DISTINCT FROM s.${sql.id(source.versionColumn)}
               THEN CASE
                      WHEN v.outcome = 'embedded' THEN 'fresh'
                      WHEN v.outcome IN (${excludedOutcomes}) THEN 'excluded'
                      ELSE 'failed'
                    END
               WHEN l.item_id IS NOT NULL THEN 'in flight'
               ELSE 'stale'
             END AS class
        FROM ${sql.id(source.schema, source.table)} s
        LEFT JOIN ${sql.id('freshet', space.vectorTable)} v
          ON v.item_id = s.${sql.id(source.keyColumn)} AND v.chunk = 0
        LEFT JOIN (SELECT l.item_id FROM freshet.leases l
                    WHERE l.space_id = ${space.spaceId} AND ${isLive()}) l
          ON l.item_id = s.${sql.id(source.keyColumn)}::text COLLATE "C"
    )
    SELECT count(*)::float8 AS eligible,
           count(*) FILTER (WHERE class = 'fresh')::float8 AS fresh,
           count(*) FILTER (WHERE class = 'stale')::float8 AS stale,
           count(*) FILTER (WHERE class = 'in flight')::float8 AS in_flight,
           count(*) FILTER (WHERE class = 'failed')::float8 AS failed,
           count(*) FILTER (WHERE class = 'excluded')::float8 AS excluded
      FROM classed`.execute(db.kysely);
  const row = counted.rows[0] ?? { eligible: 0, fresh: 0, stale: 0, in_flight: 0, failed: 0, excluded: 0 };
  return {
    source: source.name,
    model: space.model.alias,
    eligible: row.eligible,
    fresh: row.fresh,
    stale: row.stale,
    inFlight: row.in_flight,
    failed: row.failed,
    excluded: row.excluded,
    coveragePercent: coveragePercent(row.fresh, row.eligible, row.excluded),
  };
}

/**
 * Reads the coverage of the space, 0 to 100, within a time limit.
 * @throws FreshetError where the database takes longer than `timeoutMs`.
 */
export async function readCoveragePercent(db: SqlDatabase, space: Space, timeoutMs: number): Promise<number> {
  return db.kysely.transaction().execute(async transaction => {
    await sql`SELECT set_config('statement_timeout', ${String(Math.ceil(timeoutMs))}, true)`.execute(
      transaction,
    );
    const { coveragePercent } = await readCoverage({ ...db, kysely: transaction }, space);
    return coveragePercent;
  });
}

/**
 * Counts the stale rows that another run, or the deployed pipeline, has leased.
 * A lease can outlive its work: where the row is fresh by now, or gone, there is nothing to wait
 * for. Each lease costs two look-ups by key, and `maxInFlight` bounds how many leases there are.
 */
export async function countHeldElsewhere(db: SqlDatabase, space: Space, runId: number): Promise<HeldRows> {
  const { source, vectors, key, leasedKey, isStale } = quoteSpace(space);
  const { rows } = await sql<HeldRows>`
    SELECT count(*) FILTER (WHERE l.run_id IS NOT NULL)::int AS "byRuns",
           count(*) FILTER (WHERE l.run_id IS NULL)::int AS "byPipeline"
      FROM freshet.leases AS l
      JOIN ${source} AS s ON ${key} = ${leasedKey}
      LEFT JOIN ${vectors} AS v ON v.item_id = ${key} AND v.chunk = 0
     WHERE l.space_id = ${space.spaceId}::int AND ${isLive()} AND l.run_id IS DISTINCT FROM ${runId}::int
       AND ${isStale}`.execute(db.kysely);
  return rows[0] ?? { byRuns: 0, byPipeline: 0 };
}
