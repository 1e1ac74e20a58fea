import { type RawBuilder, sql } from 'kysely';
import { ORPHANS_CONFIRMED, scopesOf } from '../../core/control.ts';
import type { Space } from '../../core/model.ts';
import type { CallGrant, GrantRefusal } from '../../ports/outcome-store.ts';
import type { SqlDatabase } from './database.ts';
import { arrayLiteral, prepared } from './fragments.ts';

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
  const scopes = scopesOf(space);
  const { rows } = await sql<GrantRefusal>`${prepared}WITH pause AS MATERIALIZED (
      SELECT scope, reason FROM freshet.control
       WHERE scope = ANY (${arrayLiteral(scopes)}::text[]) AND reason <> ${ORPHANS_CONFIRMED}::text
       ORDER BY since, scope, reason LIMIT 1
    ), granted AS (
      ${INSERT_GRANT}
      SELECT ${renderGrant(grant)}
       WHERE NOT EXISTS (SELECT FROM pause)
      ON CONFLICT (call_id) DO NOTHING
    )
    SELECT scope, reason FROM pause`.execute(db.kysely);
  return rows[0];
}

/**
 * Grants a probe, which is a call that is made because of a pause.
 * The pause refuses other calls, so a probe is granted without a look at the pauses. The ledger
 * settles a probe like any other call.
 */
export async function grantProbe(db: SqlDatabase, grant: CallGrant): Promise<undefined> {
  await sql`${INSERT_GRANT}
    VALUES (${renderGrant(grant)})
    ON CONFLICT (call_id) DO NOTHING`.execute(db.kysely);
}

/** Takes back the grant of a call that failed before anything was bought. */
export async function revokeGrant(db: SqlDatabase, callId: string): Promise<void> {
  await sql`DELETE FROM freshet.grants WHERE call_id = ${callId}::uuid`.execute(db.kysely);
}

const INSERT_GRANT = sql.raw(
  'INSERT INTO freshet.grants (call_id, space_id, model_alias, estimated_tokens, estimated_cost_usd)',
);

/** Renders the values of a grant in the order of the columns of `INSERT_GRANT`. */
function renderGrant(grant: CallGrant): RawBuilder<unknown> {
  return sql`${grant.callId}::uuid, ${grant.spaceId}::int, ${grant.modelAlias}::text,
             ${grant.estimatedTokens}::float8, ${grant.estimatedCostUsd}::float8`;
}
