import { sql } from 'kysely';
import type { ProbeClaims } from '../../../ports/probe-claims.ts';
import type { SqlDatabase } from '../sql-database.ts';

export function createProbeClaims(db: SqlDatabase): ProbeClaims {
  return {
    async claim(scope, reason, intervalSeconds) {
      const { rows } = await sql`
        UPDATE freshet.control SET probed_at = now()
         WHERE scope = ${scope}::text AND reason = ${reason}::text
           AND coalesce(probed_at, since) <= now() - interval '1 second' * ${intervalSeconds}::float8
        RETURNING 1`.execute(db.kysely);
      return rows.length > 0;
    },
  };
}
