import { sql } from 'kysely';
import { ORPHANS_CONFIRMED } from '../../../core/model/confirmation.ts';
import type { Space } from '../../../core/model/space.ts';
import type { CallGrant, GrantRefusal } from '../../../ports/embedding-store.ts';
import { arrayLiteral } from '../array-literal.ts';
import { prepared } from '../prepared.ts';
import type { SqlDatabase } from '../sql-database.ts';

/**
 * Grants a call unless it is paused; resolves with the pause that refuses it.
 * The grant is a statement of its own that is committed before the call is made. A worker that dies
 * in the call leaves the grant behind.
 */
export async function grantCall(
  db: SqlDatabase,
  space: Space,
  grant: CallGrant,
): Promise<GrantRefusal | undefined> {
  const scopes = ['pipeline', `model:${space.model.alias}`, `source:${space.source.name}`];
  const { rows } = await sql<GrantRefusal>`${prepared}WITH pause AS MATERIALIZED (
      SELECT scope, reason FROM freshet.control
       WHERE scope = ANY (${arrayLiteral(scopes)}::text[]) AND reason <> ${ORPHANS_CONFIRMED}::text
       ORDER BY since, scope, reason LIMIT 1
    ), granted AS (
      INSERT INTO freshet.grants (call_id, space_id, model_alias, estimated_tokens, estimated_cost_usd)
      SELECT ${grant.callId}::uuid, ${grant.spaceId}::int, ${grant.modelAlias}::text,
             ${grant.estimatedTokens}::float8, ${grant.estimatedCostUsd}::float8
       WHERE NOT EXISTS (SELECT FROM pause)
      ON CONFLICT (call_id) DO NOTHING
    )
    SELECT scope, reason FROM pause`.execute(db.kysely);
  return rows[0];
}
