import { sql } from 'kysely';
import type { CallGrant } from '../../../ports/embedding-store.ts';
import type { SqlDatabase } from '../sql-database.ts';

/**
 * Grants a probe, which is a call that is made because of a pause.
 * The pause refuses other calls, so a probe is granted without a look at the pauses. The ledger
 * settles a probe like any other call.
 */
export async function grantProbe(db: SqlDatabase, grant: CallGrant): Promise<undefined> {
  await sql`INSERT INTO freshet.grants (call_id, space_id, model_alias, estimated_tokens, estimated_cost_usd)
    VALUES (${grant.callId}::uuid, ${grant.spaceId}::int, ${grant.modelAlias}::text,
            ${grant.estimatedTokens}::float8, ${grant.estimatedCostUsd}::float8)
    ON CONFLICT (call_id) DO NOTHING`.execute(db.kysely);
}
