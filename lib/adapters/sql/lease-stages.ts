import { type Kysely, type RawBuilder, sql } from 'kysely';
import type { Space } from '../../core/model.ts';
import type { LeaseDispatch } from '../../ports/detection-store.ts';
import type { SqlDatabase } from './database.ts';
import { arrayLiteral, prepared } from './fragments.ts';
import type { FreshetTables } from './freshet-tables.ts';
import { areEqual, keyColumnsOf } from './key-columns.ts';
import { quoteSpace } from './quote-space.ts';

/**
 * Sets the stage of the leases that were sent to `queued` and extends them.
 * A worker can be faster than the confirmation. A row that is being embedded keeps its stage and
 * gets the longer lease. A row that was given back or announced meanwhile keeps both stage and
 * lease.
 */
export async function confirmSent(
  db: SqlDatabase,
  space: Space,
  dispatchId: string,
  ids: readonly string[],
  leaseSeconds: number,
): Promise<void> {
  await sql`${prepared}UPDATE freshet.leases AS l SET
      stage = CASE l.stage WHEN 'sending' THEN 'queued' ELSE l.stage END,
      expires_at = greatest(l.expires_at, now() + ${leaseSeconds}::float8 * interval '1 second')
    WHERE ${isOfDispatch(space, dispatchId, ids)} AND l.stage IN ('sending', 'embedding')`.execute(db.kysely);
}

/**
 * Expires the leases of rows whose messages were not accepted.
 * The expired lease stays: the next incremental pass finds the row by the lease, even where the
 * watermark has passed the row.
 */
export async function abandonLeases(
  db: SqlDatabase,
  space: Space,
  { dispatchId, stage }: LeaseDispatch,
  ids?: readonly string[],
): Promise<void> {
  await sql`WITH mine AS MATERIALIZED (${renderLockedLeases(space, dispatchId, ids)})
    UPDATE freshet.leases AS l SET stage = 'queued', expires_at = now()
    FROM mine
    WHERE l.space_id = mine.space_id AND l.item_id = mine.item_id AND l.dispatch_id = ${dispatchId}::uuid
      AND l.stage = ${stage}::text`.execute(db.kysely);
}

/**
 * Seconds that a function may run at the longest, which is the limit of AWS Lambda.
 * Nobody else takes up the rows during this time, however late their message came.
 */
const LONGEST_EMBEDDING_SECONDS = 900;

/**
 * Takes up the ids whose lease is the dispatch's, and resolves with these ids.
 * A lease that expired and was not taken over is still this dispatch's.
 */
export async function beginEmbedding(
  db: SqlDatabase,
  space: Space,
  dispatchId: string,
  ids: readonly string[],
): Promise<string[]> {
  const { rows } = await sql<{ id: string }>`${prepared}
    UPDATE freshet.leases AS l SET
      stage = 'embedding',
      expires_at = greatest(l.expires_at, now() + ${LONGEST_EMBEDDING_SECONDS}::float8 * interval '1 second')
    WHERE ${isOfDispatch(space, dispatchId, ids)} AND l.stage <> 'announced'
    RETURNING l.item_id AS id`.execute(db.kysely);
  const taken = new Set(rows.map(row => row.id));
  return [...new Set(ids)].filter(id => taken.has(id));
}

/**
 * Sets the stage of the dispatch's leases to `announced` and gives them a new expiry.
 * The writer can be faster. A lease that the writer deleted or gave back (`queued`) is left alone.
 */
export async function markAnnounced(
  db: SqlDatabase,
  space: Space,
  dispatchId: string,
  ids: readonly string[],
  leaseSeconds: number,
): Promise<void> {
  await sql`${prepared}UPDATE freshet.leases AS l SET
      stage = 'announced', expires_at = now() + ${leaseSeconds}::float8 * interval '1 second'
    WHERE ${isOfDispatch(space, dispatchId, ids)} AND l.stage <> 'queued'`.execute(db.kysely);
}

/**
 * Gives rows back: their leases are `queued` and expire after `afterSeconds`.
 * The stage `queued` keeps the next lease from counting an attempt. Rows whose result is announced
 * belong to the writer and are left alone.
 */
export async function postponeLeases(
  db: SqlDatabase,
  space: Space,
  dispatchId: string,
  ids: readonly string[],
  afterSeconds: number,
): Promise<void> {
  await sql`WITH mine AS MATERIALIZED (${renderLockedLeases(space, dispatchId, ids)})
    UPDATE freshet.leases AS l SET
      stage = 'queued', expires_at = now() + ${afterSeconds}::float8 * interval '1 second'
    FROM mine
    WHERE l.space_id = mine.space_id AND l.item_id = mine.item_id AND l.dispatch_id = ${dispatchId}::uuid
      AND l.stage <> 'announced'`.execute(db.kysely);
}

/**
 * Expires leases of the dispatch whose result object is missing or corrupt.
 * The stage stays `announced`, so that the next lease counts an attempt. A row whose objects are
 * lost again and again thereby comes to an end.
 */
export async function expireLeases(
  db: Pick<SqlDatabase, 'kysely'>,
  space: Space,
  dispatchId: string,
  ids: readonly string[],
): Promise<void> {
  await sql`WITH mine AS MATERIALIZED (${renderLockedLeases(space, dispatchId, ids)})
    UPDATE freshet.leases AS l SET expires_at = now()
    FROM mine
    WHERE l.space_id = mine.space_id AND l.item_id = mine.item_id AND l.dispatch_id = ${dispatchId}::uuid
      AND l.expires_at > now()`.execute(db.kysely);
}

/**
 * Ends the leases of a dispatch: deletes those of finished rows and expires the others.
 * A lease is deleted where the source row is gone, or where its outcome was made from just this
 * version and `xmin`, or is that of a key that stands twice. Else the row was overtaken; the next
 * incremental pass finds it by its lease, which is expired and has no attempts. The statement
 * compares what is stored with what is there, whoever wrote it.
 *
 * OFFSET 0 makes the look-ups of outcomes one per lease, however old the statistics are. Both
 * passes are in the order of the ids, as everywhere. The second pass also sees the leases that the
 * first one deleted, and is left out where the first one deleted all, as is usual. A lease that
 * another dispatch took over meanwhile no longer matches. (A MERGE looks every lease up twice, or
 * reads all leases.)
 */
export async function releaseLeases(
  db: Kysely<FreshetTables>,
  space: Space,
  dispatchId: string,
  ids: readonly string[],
): Promise<void> {
  if (ids.length === 0) return;
  const { source, vectors, version, isOtherRowVersion, isDoubled } = quoteSpace(space);
  const keys = keyColumnsOf(space.source);
  await sql`${prepared}WITH settled AS (
      DELETE FROM freshet.leases AS l
       WHERE ${isOfDispatch(space, dispatchId, ids)}
         AND coalesce((SELECT bool_and(coalesce((v.source_version IS NOT DISTINCT FROM ${version}
                             AND v.outcome IS NOT NULL AND NOT ${isOtherRowVersion}) OR ${isDoubled}, false))
                         FROM ${source} AS s
                         LEFT JOIN LATERAL (SELECT v.source_version, v.source_xid, v.outcome
                                              FROM ${vectors} AS v
                                             WHERE ${areEqual(keys.stored('v'), keys.source)}
                                               AND v.chunk = 0 OFFSET 0) AS v ON true
                        WHERE ${areEqual(keys.source, keys.leased)}), true)
      RETURNING l.item_id
    )
    UPDATE freshet.leases AS l SET stage = 'queued', attempts = 0, expires_at = now()
     WHERE (SELECT count(*) FROM settled) < ${ids.length}::int
       AND ${isOfDispatch(space, dispatchId, ids)}
       AND l.item_id NOT IN (SELECT item_id FROM settled)`.execute(db);
}

/**
 * Renders whether a lease `l` is of the dispatch and among the ids (undefined: any).
 * PostgreSQL serves the condition from the key's index in the order of the ids, which is the order
 * in which leases are locked everywhere. If a plan ever locks in another order, a deadlock is
 * `transient` and the statement is tried again.
 */
function isOfDispatch(
  space: Space,
  dispatchId: string,
  ids: readonly string[] | undefined,
): RawBuilder<boolean> {
  const among =
    ids === undefined
      ? sql``
      : sql`
       AND l.item_id = ANY (${arrayLiteral(ids)}::text[])`;
  return sql`l.space_id = ${space.spaceId}::int AND l.dispatch_id = ${dispatchId}::uuid${among}`;
}

/**
 * Renders a SELECT that locks leases of a dispatch among the ids, for use as a CTE.
 * The order of the locks is that of the ids, whatever the plan. The SELECT costs as much again as
 * the change itself, so it is for changes that happen seldom.
 */
function renderLockedLeases(
  space: Space,
  dispatchId: string,
  ids: readonly string[] | undefined,
): RawBuilder<unknown> {
  return sql`SELECT l.space_id, l.item_id FROM freshet.leases AS l
     WHERE ${isOfDispatch(space, dispatchId, ids)}
     ORDER BY l.item_id
       FOR UPDATE`;
}
