import { sql } from 'kysely';

/**
 * A condition that always holds and sets how later statements are planned: for any values.
 * The setting lasts until the transaction ends. PostgreSQL plans each of the first five executions
 * of a prepared statement on a connection for its values. In doing so it copies the values, the
 * vectors of a batch several times. The plans are the same look-ups by key either way.
 * The condition is part of a statement, because a statement of its own would be another round trip
 * per transaction.
 */
export const genericPlansFollow = sql<boolean>`(SELECT set_config('plan_cache_mode', 'force_generic_plan', true)) <> ''`;
