import { type RawBuilder, sql } from 'kysely';
import type { Space } from '../../../core/model/space.ts';
import { arrayLiteral } from '../array-literal.ts';

/**
 * Whether a lease `l` is of the dispatch and among the ids (undefined: any). PostgreSQL serves it from the key's index, in the order of the ids, which is the
 * order in which leases are locked everywhere. Should a plan ever lock in another, a deadlock is `transient` and tried again.
 */
export function leasesOf(
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
 * The leases of a dispatch among the ids, locked in the order of their ids whatever the plan, for use as a CTE. It costs as much again as the
 * change itself: for what happens seldom.
 */
export function lockLeases(
  space: Space,
  dispatchId: string,
  ids: readonly string[] | undefined,
): RawBuilder<unknown> {
  return sql`SELECT l.space_id, l.item_id FROM freshet.leases AS l
     WHERE ${leasesOf(space, dispatchId, ids)}
     ORDER BY l.item_id
       FOR UPDATE`;
}
