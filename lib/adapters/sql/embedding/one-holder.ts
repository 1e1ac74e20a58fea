import { type RawBuilder, sql } from 'kysely';
import type { Space } from '../../../core/model/space.ts';
import { quoteSpace } from '../quoted-space.ts';

/**
 * `FROM … LIMIT 1`: an outcome row `v` that holds a vector for the hash. The hash is bounded from both sides and ordered by, not equated:
 * only the index on content_hash can serve that, whatever the planner believes of the table.
 */
export function oneHolder(space: Space, hash: RawBuilder<unknown>): RawBuilder<unknown> {
  const { vectors } = quoteSpace(space);
  return sql`FROM ${vectors} AS v
    WHERE v.content_hash >= ${hash} AND v.content_hash <= ${hash} AND v.outcome = 'embedded'
    ORDER BY v.content_hash LIMIT 1`;
}
