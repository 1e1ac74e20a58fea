import { type Kysely, sql } from 'kysely';
import type { Verdict } from '../../../core/model/result-object.ts';
import { arrayLiteral } from '../array-literal.ts';
import type { FreshetTables } from '../freshet-tables.ts';

/**
 * Stores verdicts; a hash that was refused before has one attempt more.
 * The verdicts are ordered by hash, one line per hash, for the same reasons as outcomes.
 */
export async function rememberVerdicts(
  db: Kysely<FreshetTables>,
  spaceId: number,
  verdicts: readonly Verdict[],
): Promise<void> {
  if (verdicts.length === 0) return;
  await sql`INSERT INTO freshet.failures AS f (space_id, content_hash, failure_class, code)
    SELECT DISTINCT ON (u.content_hash) ${spaceId}::int, decode(u.content_hash, 'hex'), u.failure_class, u.code
      FROM unnest(${arrayLiteral(verdicts.map(verdict => verdict.contentHash))}::text[],
                  ${arrayLiteral(verdicts.map(verdict => verdict.failureClass))}::text[],
                  ${arrayLiteral(verdicts.map(verdict => verdict.code))}::text[])
        AS u (content_hash, failure_class, code)
     ORDER BY u.content_hash
    ON CONFLICT (space_id, content_hash) DO UPDATE SET
      failure_class = excluded.failure_class, code = excluded.code, attempts = f.attempts + 1, last_at = now()`.execute(
    db,
  );
}
