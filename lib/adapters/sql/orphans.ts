import { type RawBuilder, sql } from 'kysely';
import { ORPHANS_CONFIRMED } from '../../core/control.ts';
import type { Space } from '../../core/model.ts';
import type { KeyRange, OrphanReport } from '../../ports/detection-store.ts';
import type { SqlDatabase } from './database.ts';
import { quoteSpace } from './fragments.ts';
import { renderRange } from './lease-stale-rows.ts';

/**
 * Share of a slice's outcome rows that may be missing at once.
 * Above this share, somebody must say that the rows are meant to be gone.
 */
const MISSING_SHARE = 0.1;

/**
 * Number of missing rows below which the share says nothing.
 * A table of a dozen rows may lose three.
 */
export const MISSING_ROWS = 20;

/**
 * Marks the slice's outcome rows without a source row and deletes those marked long ago.
 * A row is deleted when its mark is an hour old and older than the beginning of the last whole
 * pass.
 *
 * One statement does everything, so that what is counted is what is marked and deleted. All missing
 * rows of the slice count against its outcome rows, also those that earlier passes marked: a table
 * that is emptied step by step must not slip through. Where too many rows are missing, none is
 * marked or deleted, but rows that came back lose their mark. Where rows are missing and row-level
 * security may hide them, no mark changes. A table without a row was emptied, however small the
 * table was before.
 *
 * The range bounds both sides of the join (a merge join of two index ranges). The last conditions
 * of the UPDATE and the DELETE are checked again on a row that the writer changed meanwhile: a row
 * that the writer just wrote has no mark and stays.
 */
export async function removeOrphans(db: SqlDatabase, space: Space, slice: KeyRange): Promise<OrphanReport> {
  const { source, vectors, key, keyType } = quoteSpace(space);
  const { schema, table, name } = space.source;
  const id = sql.id('v', 'item_id');
  const { rows } = await sql<OrphanReport>`
    WITH hidden AS MATERIALIZED (
      SELECT row_security_active(format('%I.%I', ${schema}::text, ${table}::text)::regclass) AS rows
    ), seen AS MATERIALIZED (
      SELECT v.item_id, v.missing_since, ${key} IS NULL AS missing
        FROM ${vectors} AS v
        LEFT JOIN ${source} AS s ON ${key} = v.item_id${renderRange(key, keyType, slice)}
       WHERE v.chunk = 0${renderRange(id, keyType, slice)}
         AND (${key} IS NULL OR v.missing_since IS NOT NULL)
    ), decision AS MATERIALIZED (
      SELECT CASE
          WHEN c.missing = 0 THEN NULL
          WHEN (SELECT rows FROM hidden) THEN 'row-security'
          WHEN ${isRemovalConfirmed(name)} THEN NULL
          WHEN NOT EXISTS (SELECT FROM ${source} AS s) THEN 'too-many'
          WHEN c.missing >= ${MISSING_ROWS}::int
           AND c.missing > ${MISSING_SHARE}::float8 * (
                 SELECT count(*) FROM ${vectors} AS v WHERE v.chunk = 0${renderRange(id, keyType, slice)})
          THEN 'too-many' END AS stopped
        FROM (SELECT count(*) AS missing FROM seen WHERE missing) AS c
    ), due AS MATERIALIZED (
      SELECT o.item_id, NOT o.missing AS back,
             o.missing AND o.missing_since <= now() - interval '1 hour'
               AND o.missing_since < (SELECT last_pass_started_at FROM freshet.positions
                                       WHERE space_id = ${space.spaceId}::int) AS over
        FROM seen AS o, decision
       WHERE (decision.stopped IS NULL OR NOT o.missing) AND decision.stopped IS DISTINCT FROM 'row-security'
    ), locked AS MATERIALIZED (
      SELECT v.item_id, due.back, coalesce(due.over, false) AS over
        FROM ${vectors} AS v JOIN due ON due.item_id = v.item_id
       WHERE v.chunk = 0
       ORDER BY v.item_id
         FOR UPDATE OF v
    ), marked AS (
      UPDATE ${vectors} AS v SET missing_since = CASE WHEN l.back THEN NULL ELSE now() END
        FROM locked AS l
       WHERE v.item_id = l.item_id AND v.chunk = 0 AND NOT l.over AND l.back = (v.missing_since IS NOT NULL)
      RETURNING l.back
    ), deleted AS (
      DELETE FROM ${vectors} AS v USING locked AS l
       WHERE v.item_id = l.item_id AND l.over AND v.missing_since IS NOT NULL
      RETURNING v.chunk
    )
    SELECT (SELECT count(*) FROM marked WHERE NOT back)::int AS marked,
           (SELECT count(*) FROM deleted WHERE chunk = 0)::int AS deleted,
           (SELECT stopped FROM decision) AS stopped`.execute(db.kysely);
  return rows[0] ?? { marked: 0, deleted: 0, stopped: null };
}

/**
 * Renders whether somebody confirmed that rows of the source are meant to be gone.
 * A confirmation holds for a day.
 */
export function isRemovalConfirmed(sourceName: string): RawBuilder<boolean> {
  return sql`EXISTS (SELECT FROM freshet.control AS k
                        WHERE k.scope = 'source:' || ${sourceName}::text
                          AND k.reason = ${ORPHANS_CONFIRMED}::text
                          AND k.since > now() - interval '1 day')`;
}
