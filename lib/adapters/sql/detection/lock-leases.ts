import { type RawBuilder, sql } from 'kysely';
import type { Space } from '../../../core/model/space.ts';
import { arrayLiteral } from '../array-literal.ts';

/**
 * Renders whether a lease `l` is of the dispatch and among the ids (undefined: any).
 * PostgreSQL serves the condition from the key's index in the order of the ids, which is the order
 * in which leases are locked everywhere. If a plan ever locks in another order, a deadlock is
 * `transient` and the statement is tried again.
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
 * Renders a SELECT that locks leases of a dispatch among the ids, for use as a CTE.
 * The order of the locks is that of the ids, whatever the plan. The SELECT costs as much again as
 * the change itself, so it is for changes that happen seldom.
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
