import { type RawBuilder, sql } from 'kysely';
import type { Space } from '../../../core/model/space.ts';

/**
 * Outcome rows that count as failed, with the class and code that people see: `refused:<code>` is class `item`; `undelivered` (embedding began
 * five times and never ended) is class and code of its own.
 */
export function failedOutcomes(space: Space): RawBuilder<unknown> {
  return sql`
    SELECT v.item_id, v.chunk, v.content_hash, v.source_version, v.read_at,
           CASE WHEN v.outcome = 'undelivered' THEN 'undelivered' ELSE 'item' END AS failure_class,
           CASE WHEN v.outcome = 'undelivered' THEN 'undelivered' ELSE substr(v.outcome, 9) END AS code
      FROM ${sql.id('freshet', space.vectorTable)} v
     WHERE v.outcome = 'undelivered' OR v.outcome LIKE 'refused:%'`;
}
