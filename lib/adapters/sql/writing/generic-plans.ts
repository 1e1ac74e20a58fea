import { sql } from 'kysely';

/**
 * A condition that always holds. Once evaluated, the statements that follow in the transaction are planned for any values: PostgreSQL plans
 * each of the first five executions of a prepared statement on a connection for its values, and copies them as it does, the vectors of a batch
 * several times. The plans are the same look-ups by key either way. Part of a statement, because one of its own would be another round
 * trip per transaction.
 */
export const genericPlansFollow = sql<boolean>`(SELECT set_config('plan_cache_mode', 'force_generic_plan', true)) <> ''`;
