import { type RawBuilder, sql } from 'kysely';
import type { Space } from '../../../core/model/space.ts';
import { quoteSpace } from '../quoted-space.ts';

/**
 * `FROM … LIMIT 1`: an outcome row `v` that holds a vector for the hash. The hash is bounded from both sides and ordered by, not equated:
 * only the index on content_hash can serve that, whatever the planner believes of the table. It asks for the vector, which the table
 * ties to the outcome `embedded`: the planner takes a text that it knows nothing of to be rare, and would then collect and sort all rows of a hash.
 */
export function oneHolder(space: Space, hash: RawBuilder<unknown>): RawBuilder<unknown> {
  const { vectors } = quoteSpace(space);
  return sql`FROM ${vectors} AS v
    WHERE v.content_hash >= ${hash} AND v.content_hash <= ${hash} AND v.embedding IS NOT NULL
    ORDER BY v.content_hash LIMIT 1`;
}
