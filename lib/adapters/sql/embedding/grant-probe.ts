import { sql } from 'kysely';
import type { CallGrant } from '../../../ports/embedding-store.ts';
import type { SqlDatabase } from '../sql-database.ts';

/** A probe is a call because of a pause: where other calls are refused, it is granted. It is settled by the ledger like any other. */
export async function grantProbe(db: SqlDatabase, grant: CallGrant): Promise<undefined> {
  await sql`INSERT INTO freshet.grants (call_id, space_id, model_alias, estimated_tokens, estimated_cost_usd)
    VALUES (${grant.callId}::uuid, ${grant.spaceId}::int, ${grant.modelAlias}::text,
            ${grant.estimatedTokens}::float8, ${grant.estimatedCostUsd}::float8)
    ON CONFLICT (call_id) DO NOTHING`.execute(db.kysely);
}
