import { sql } from 'kysely';
import type { Space } from '../../../core/model/space.ts';
import { coveragePercent } from '../../../core/report/coverage-percent.ts';
import type { Coverage } from '../../../ports/report-store.ts';
import { liveLease } from '../live-lease.ts';
import type { SqlDatabase } from '../sql-database.ts';

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
               WHEN v.item_id IS NOT NULL AND v.source_version IS NOT DISTINCT FROM s.${sql.id(source.versionColumn)}
               THEN CASE
                      WHEN v.outcome = 'embedded' THEN 'fresh'
                      WHEN v.outcome IN ('excluded:empty', 'too-long') THEN 'excluded'
                      ELSE 'failed'
                    END
               WHEN l.item_id IS NOT NULL THEN 'in flight'
               ELSE 'stale'
             END AS class
        FROM ${sql.id(source.schema, source.table)} s
        LEFT JOIN ${sql.id('freshet', space.vectorTable)} v
          ON v.item_id = s.${sql.id(source.keyColumn)} AND v.chunk = 0
        LEFT JOIN (SELECT l.item_id FROM freshet.leases l
                    WHERE l.space_id = ${space.spaceId} AND ${liveLease()}) l
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
