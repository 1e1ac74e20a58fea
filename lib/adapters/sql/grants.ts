import { type RawBuilder, sql } from 'kysely';
import type { Cap } from '../../core/budget.ts';
import { BUDGET_PAUSE, ORPHANS_CONFIRMED, scopesOf } from '../../core/control.ts';
import type { Space } from '../../core/model.ts';
import type { CallGrant, GrantRefusal } from '../../ports/outcome-store.ts';
import { renderReachedCap } from './caps.ts';
import type { SqlDatabase } from './database.ts';
import { mayBeOfOneRow } from './divide-rows.ts';
import { arrayLiteral, prepared } from './fragments.ts';
import { renderLiveRuns } from './leases.ts';

/**
 * Grants a call unless it is paused or goes beyond a cap; resolves with the pause that refuses it.
 * A cap that is reached pauses its scope in the same statement, so that every worker sees it at
 * once. The grant is a statement of its own that is committed before the call is made. A worker
 * that dies in the call leaves the grant behind.
 */
export async function grantCall(
  db: SqlDatabase,
  space: Space,
  grant: CallGrant,
  caps: readonly Cap[],
): Promise<GrantRefusal | undefined> {
  const scopes = scopesOf(space);
  const reached =
    caps.length === 0
      ? sql`SELECT NULL::text AS scope, NULL::text AS sentence WHERE false`
      : sql`SELECT * FROM (${renderReachedCap(caps, grant.estimatedCostUsd)}) AS first
             WHERE NOT EXISTS (SELECT FROM pause)`;
  const { rows } = await sql<GrantRefusal>`${prepared}WITH pause AS MATERIALIZED (
      SELECT scope, reason FROM freshet.control
       WHERE scope = ANY (${arrayLiteral(scopes)}::text[]) AND reason <> ${ORPHANS_CONFIRMED}::text
       ORDER BY since, scope, reason LIMIT 1
    ), reached AS MATERIALIZED (
      ${reached}
    ), granted AS (
      ${INSERT_GRANT}
      SELECT ${renderGrant(grant)}
       WHERE NOT EXISTS (SELECT FROM pause) AND NOT EXISTS (SELECT FROM reached)
      ON CONFLICT (call_id) DO NOTHING
    ), paused AS (
      INSERT INTO freshet.control (scope, reason, detail)
      SELECT scope, ${BUDGET_PAUSE}::text, sentence FROM reached
      ON CONFLICT (scope, reason) DO NOTHING
    )
    SELECT scope, reason FROM pause
    UNION ALL SELECT scope, ${BUDGET_PAUSE}::text FROM reached`.execute(db.kysely);
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

/**
 * Lets a grant reserve what its call was billed.
 * Until the result is written, the next grant would else see the estimate, and what bills are above
 * their estimates would add up over all calls of a message.
 */
export async function noteBill(db: SqlDatabase, callId: string, costUsd: number): Promise<void> {
  await sql`${prepared}UPDATE freshet.grants SET estimated_cost_usd = ${costUsd}::float8
     WHERE call_id = ${callId}::uuid AND lost_at IS NULL`.execute(db.kysely);
}

/** Takes back the grant of a call that failed before anything was bought. */
export async function revokeGrant(db: SqlDatabase, callId: string): Promise<void> {
  await sql`DELETE FROM freshet.grants WHERE call_id = ${callId}::uuid`.execute(db.kysely);
}

/**
 * Minutes after which a grant without a run belongs to a Lambda that is gone.
 * No Lambda runs longer.
 */
const LONGEST_LAMBDA_MINUTES = 15;

/**
 * Renders whether grant `g` is of a call whose process is gone and whose answer is lost.
 * The result of a Lambda may wait for the writer: its rows are then announced. A batch that has not
 * ended is not lost, whatever became of the process that submitted it.
 */
export function renderLost(): RawBuilder<boolean> {
  return sql<boolean>`(g.lost_at IS NOT NULL
    OR (g.run_id IS NOT NULL AND g.run_id NOT IN (${renderLiveRuns()}))
    OR (g.run_id IS NULL AND g.granted_at < now() - make_interval(mins => ${LONGEST_LAMBDA_MINUTES}::int)
        AND NOT EXISTS (SELECT FROM freshet.batches AS b
                         WHERE b.batch_id = g.call_id AND b.state IN ('submitting', 'open'))
        AND NOT EXISTS (SELECT FROM freshet.leases AS l
                         WHERE l.space_id = g.space_id AND l.item_id = ANY (g.item_ids)
                           AND l.dispatch_id = g.dispatch_id
                           AND l.stage = 'announced' AND l.expires_at > now())))`;
}

/**
 * Settles the grants of calls whose process is gone, and resolves with their number.
 * Such a grant stays, marked, as what was paid and lost. Leases of a dead run that are in no lost
 * call of their dispatch go back to `queued`: their rows only waited in the same message. A
 * dispatch without any call may have died of reading its rows, and all of them count.
 */
export async function settleLostCalls(db: SqlDatabase): Promise<number> {
  try {
    return await settleLost(db, sql`true`);
  } catch (error) {
    // One lease that cannot be changed must not keep every tick from its work.
    if (!mayBeOfOneRow(error)) throw error;
    return settleLost(db, sql`false`);
  }
}

/** `spares` renders whether leases that only waited in the same message count no attempt. */
async function settleLost(db: SqlDatabase, spares: RawBuilder<unknown>): Promise<number> {
  const { rows } = await sql<{ lost: number }>`
    WITH lost AS (
      UPDATE freshet.grants AS g SET lost_at = now() WHERE g.lost_at IS NULL AND ${renderLost()}
      RETURNING g.space_id, g.dispatch_id, g.run_id, g.item_ids
    ), waiting AS (
      SELECT l.space_id, l.item_id FROM freshet.leases AS l
       WHERE ${spares} AND l.run_id IS NOT NULL AND l.stage = 'embedding'
         AND EXISTS (SELECT FROM lost WHERE lost.space_id = l.space_id AND lost.run_id = l.run_id
                        AND lost.dispatch_id = l.dispatch_id)
         AND NOT EXISTS (SELECT FROM lost WHERE lost.space_id = l.space_id
                            AND lost.dispatch_id = l.dispatch_id AND l.item_id = ANY (lost.item_ids))
       ORDER BY l.space_id, l.item_id
         FOR UPDATE SKIP LOCKED
    ), spared AS (
      UPDATE freshet.leases AS l SET stage = 'queued' FROM waiting AS w
       WHERE l.space_id = w.space_id AND l.item_id = w.item_id
    )
    SELECT count(*)::int AS lost FROM lost`.execute(db.kysely);
  return rows[0]?.lost ?? 0;
}

const INSERT_GRANT = sql.raw(
  'INSERT INTO freshet.grants (call_id, space_id, model_alias, estimated_tokens, estimated_cost_usd, ' +
    'run_id, dispatch_id, item_ids)',
);

/** Renders the values of a grant in the order of the columns of `INSERT_GRANT`. */
function renderGrant(grant: CallGrant): RawBuilder<unknown> {
  const { holder } = grant;
  return sql`${grant.callId}::uuid, ${grant.spaceId}::int, ${grant.modelAlias}::text,
             ${grant.estimatedTokens}::float8, ${grant.estimatedCostUsd}::float8,
             ${holder?.runId ?? null}::int, ${holder?.dispatchId ?? null}::uuid,
             ${holder === undefined ? null : arrayLiteral(holder.ids)}::text[]`;
}
