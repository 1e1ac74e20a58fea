/**
 * Puts a session into the state that every statement relies on.
 * Timestamps as text are in UTC and ISO, and the isolation is READ COMMITTED. The search path has
 * none of the application's schemas, so that only pgvector's operators resolve unqualified. Without
 * pgvector the path stays as it is. Time limits stay those of the role.
 */
export const SESSION_STATEMENT = `
  SELECT pg_catalog.set_config('TimeZone', 'UTC', false),
         pg_catalog.set_config('DateStyle', 'ISO, MDY', false),
         pg_catalog.set_config('default_transaction_isolation', 'read committed', false),
         (SELECT pg_catalog.set_config('search_path', 'pg_catalog, ' || pg_catalog.quote_ident(n.nspname), false)
            FROM pg_catalog.pg_extension e JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace
           WHERE e.extname = 'vector')`;
