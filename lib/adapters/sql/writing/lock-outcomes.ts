import { type Kysely, sql } from 'kysely';
import type { Space } from '../../../core/model/space.ts';
import { arrayLiteral } from '../array-literal.ts';
import type { FreshetTables } from '../freshet-tables.ts';
import { quoteSpace } from '../quoted-space.ts';

/**
 * Locks the outcome rows of the ids in the order of their keys.
 * Each of the writer's statements locks its own rows in that order. An object with several kinds of
 * entries needs this lock first: else two objects that have one row in different roles could wait
 * for each other.
 */
export async function lockOutcomes(
  db: Kysely<FreshetTables>,
  space: Space,
  ids: readonly string[],
): Promise<void> {
  const { vectors, keyType } = quoteSpace(space);
  await sql`SELECT FROM ${vectors} AS v
     WHERE v.item_id = ANY (${arrayLiteral(ids)}::${keyType}[]) AND v.chunk = 0
     ORDER BY v.item_id
       FOR NO KEY UPDATE`.execute(db);
}
