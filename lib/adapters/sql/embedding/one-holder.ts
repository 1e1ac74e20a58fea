import { type RawBuilder, sql } from 'kysely';
import type { Space } from '../../../core/model/space.ts';
import { quoteSpace } from '../quoted-space.ts';

/**
 * Renders `FROM … LIMIT 1`: an outcome row `v` that holds a vector for the hash.
 * The hash is bounded from both sides and ordered by, not equated. Only the index on `content_hash`
 * can serve that, whatever the planner believes of the table.
 * The condition asks for the vector, which the table ties to the outcome `embedded`. With a
 * condition on the outcome, the planner would collect and sort all rows of a hash, because it takes
 * a text of which it knows nothing to be rare.
 */
export function oneHolder(space: Space, hash: RawBuilder<unknown>): RawBuilder<unknown> {
  const { vectors } = quoteSpace(space);
  return sql`FROM ${vectors} AS v
    WHERE v.content_hash >= ${hash} AND v.content_hash <= ${hash} AND v.embedding IS NOT NULL
    ORDER BY v.content_hash LIMIT 1`;
}
