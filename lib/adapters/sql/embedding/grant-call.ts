import { sql } from 'kysely';
import type { CallGrant } from '../../../ports/embedding-store.ts';
import { prepared } from '../prepared.ts';
import type { SqlDatabase } from '../sql-database.ts';

/** A statement of its own, committed before the call is made: a worker that dies in the call leaves it behind. */
export async function grantCall(db: SqlDatabase, grant: CallGrant): Promise<void> {
  await sql`${prepared}INSERT INTO freshet.grants (call_id, space_id, model_alias, estimated_tokens, estimated_cost_usd)
    VALUES (${grant.callId}::uuid, ${grant.spaceId}::int, ${grant.modelAlias}::text,
            ${grant.estimatedTokens}::float8, ${grant.estimatedCostUsd}::float8)
    ON CONFLICT (call_id) DO NOTHING`.execute(db.kysely);
}
