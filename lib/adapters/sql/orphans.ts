import { type RawBuilder, sql } from 'kysely';
import { ORPHANS_CONFIRMED } from '../../core/control.ts';
import type { Space } from '../../core/model.ts';
import type { KeyRange, OrphanReport } from '../../ports/detection-store.ts';
import type { SqlDatabase } from './database.ts';
import { divideRange } from './divide-range.ts';
import { mayBeOfOneRow } from './divide-rows.ts';
import { areEqual, isAbsent, joinByRange, keyColumnsOf, listKey } from './key-columns.ts';
import { notePartitions } from './partitions.ts';
import { hasHashedRows, quoteSpace } from './quote-space.ts';

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
 * Where one of them can be neither marked nor deleted (a foreign key of the application refers to
 * it, a trigger refuses), they are taken apart, and the others go on. What is missing is counted
 * over the whole slice all the same: a part of it could be all gone. Where the source itself cannot
 * be looked at for one row, nothing of the slice is removed, and the pass goes on.
 */
export async function removeOrphans(db: SqlDatabase, space: Space, slice: KeyRange): Promise<OrphanReport> {
  try {
    return await removeWithin(db, space, slice, slice);
  } catch (error) {
    if (!mayBeOfOneRow(error)) throw error;
  }
  const { vectors } = quoteSpace(space);
  const keys = keyColumnsOf(space.source);
  const stored = keys.stored('v');
  let sum: OrphanReport = { marked: 0, deleted: 0, stopped: null };
  try {
    const { skipped } = await divideRange(db, keys, slice, {
      async work(part) {
        const { marked, deleted, stopped } = await removeWithin(db, space, slice, part);
        sum = { marked: sum.marked + marked, deleted: sum.deleted + deleted, stopped };
      },
      keysWithin: part => sql`
        SELECT ${keys.carry(stored)} FROM ${vectors} AS v WHERE v.chunk = 0${keys.within(stored, part)}`,
    });
    return { ...sum, skipped };
  } catch (error) {
    if (!mayBeOfOneRow(error)) throw error;
    return { ...sum, stopped: 'unreadable' };
  }
}

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
 * Rows of a view or a foreign table can be missing because something behind it is not there: none
 * is removed before somebody confirms it.
 * Rows of a partition that is gone are meant to be gone. They are removed without a question, and
 * count neither among the missing rows nor among the rows of the slice.
 *
 * The range bounds both sides of the join (a merge join of two index ranges). The last conditions
 * of the UPDATE and the DELETE are checked again on a row that the writer changed meanwhile: a row
 * that the writer just wrote has no mark and stays.
 */
async function removeWithin(
  db: SqlDatabase,
  space: Space,
  slice: KeyRange,
  part: KeyRange,
): Promise<OrphanReport> {
  const { source, vectors } = quoteSpace(space);
  const keys = keyColumnsOf(space.source);
  const { schema, table, name } = space.source;
  const isMeant = (await notePartitions(db, space.spaceId, space.source)) ?? (() => sql`false`);
  const stored = keys.stored('v');
  // Without nested loops, a join by key reads all of the vector table that it may.
  const bounded = keys.isComposite ? keys.within(stored, slice) : sql``;
  const statement = sql<OrphanReport>`
    WITH hidden AS MATERIALIZED (
      SELECT row_security_active(format('%I.%I', ${schema}::text, ${table}::text)::regclass) AS rows
    ), seen AS MATERIALIZED (
      SELECT ${listKey(stored)}, v.missing_since, ${isAbsent(keys.source)} AS missing,
             ${isAbsent(keys.source)} AND ${isMeant(stored)} AS meant
        FROM ${vectors} AS v
        LEFT JOIN ${source} AS s ON ${areEqual(keys.source, stored)}${keys.within(keys.source, slice)}
       WHERE v.chunk = 0${keys.within(stored, slice)}
         AND (${isAbsent(keys.source)} OR v.missing_since IS NOT NULL)
    ), decision AS MATERIALIZED (
      SELECT CASE
          WHEN c.gone = 0 THEN NULL
          WHEN (SELECT rows FROM hidden) THEN 'row-security'
          WHEN c.gone = c.meant THEN NULL
          WHEN ${isRemovalConfirmed(name)} THEN NULL
          WHEN ${hasHashedRows(space.source)}::bool THEN 'unconfirmed'
          WHEN NOT EXISTS (SELECT FROM ${source} AS s) THEN 'too-many'
          WHEN c.gone - c.meant >= ${MISSING_ROWS}::int
           AND c.gone - c.meant > ${MISSING_SHARE}::float8 * (
                 SELECT count(*) - c.meant FROM ${vectors} AS v
                  WHERE v.chunk = 0${keys.within(stored, slice)})
          THEN 'too-many' END AS stopped
        FROM (SELECT count(*) FILTER (WHERE missing) AS gone,
                     count(*) FILTER (WHERE meant) AS meant FROM seen) AS c
    ), due AS MATERIALIZED (
      SELECT ${listKey(keys.stored('o'))}, NOT o.missing AS back,
             o.missing AND o.missing_since <= now() - interval '1 hour'
               AND o.missing_since < (SELECT last_pass_started_at FROM freshet.positions
                                       WHERE space_id = ${space.spaceId}::int) AS over
        FROM seen AS o, decision
       WHERE (decision.stopped IS NULL OR NOT o.missing OR o.meant)${keys.within(keys.stored('o'), part)}
         AND decision.stopped IS DISTINCT FROM 'row-security'
    ), locked AS MATERIALIZED (
      SELECT ${listKey(stored)}, due.back, coalesce(due.over, false) AS over
        FROM ${vectors} AS v JOIN due ON ${areEqual(keys.stored('due'), stored)}
       WHERE v.chunk = 0${bounded}
       ORDER BY ${listKey(stored)}
         FOR UPDATE OF v
    ), marked AS (
      UPDATE ${vectors} AS v SET missing_since = CASE WHEN l.back THEN NULL ELSE now() END
        FROM locked AS l
       WHERE ${areEqual(stored, keys.stored('l'))}${bounded} AND v.chunk = 0 AND NOT l.over
         AND l.back = (v.missing_since IS NOT NULL)
      RETURNING l.back
    ), deleted AS (
      DELETE FROM ${vectors} AS v USING locked AS l
       WHERE ${areEqual(stored, keys.stored('l'))}${bounded} AND l.over AND v.missing_since IS NOT NULL
      RETURNING v.chunk
    )
    SELECT (SELECT count(*) FROM marked WHERE NOT back)::int AS marked,
           (SELECT count(*) FROM deleted WHERE chunk = 0)::int AS deleted,
           (SELECT stopped FROM decision) AS stopped`;
  const { rows } = await joinByRange(db, keys, kysely => statement.execute(kysely));
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
