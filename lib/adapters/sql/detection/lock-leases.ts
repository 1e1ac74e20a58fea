import { type RawBuilder, sql } from 'kysely';
import type { Space } from '../../../core/model/space.ts';
import { arrayLiteral } from '../array-literal.ts';

/**
 * The leases of a dispatch among the ids, locked in the order of their ids, for use as a CTE: an UPDATE alone locks in the order of its
 * plan, and two deliveries of one message would lock each other out.
 */
export function lockLeases(space: Space, dispatchId: string, ids: readonly string[]): RawBuilder<unknown> {
  return sql`SELECT l.space_id, l.item_id FROM freshet.leases AS l
     WHERE l.space_id = ${space.spaceId}::int AND l.dispatch_id = ${dispatchId}::uuid
       AND l.item_id = ANY (${arrayLiteral(ids)}::text[])
     ORDER BY l.item_id
       FOR UPDATE`;
}
