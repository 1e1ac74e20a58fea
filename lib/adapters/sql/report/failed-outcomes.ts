import { type RawBuilder, sql } from 'kysely';
import type { Space } from '../../../core/model/space.ts';

/**
 * Selects the outcome rows that count as failed, with the class and code that people see.
 * `refused:<code>` has class `item`. `undelivered` (embedding began five times and never ended) is
 * both class and code. `undelivered:<code>` has class `undelivered` and the code of an outage.
 */
export function failedOutcomes(space: Space): RawBuilder<unknown> {
  return sql`
    SELECT v.item_id, v.chunk, v.content_hash, v.source_version, v.read_at,
           CASE WHEN v.outcome LIKE 'refused:%' THEN 'item' ELSE 'undelivered' END AS failure_class,
           regexp_replace(v.outcome, '^[a-z]+:', '') AS code
      FROM ${sql.id('freshet', space.vectorTable)} v
     WHERE v.outcome LIKE 'undelivered%' OR v.outcome LIKE 'refused:%'`;
}
