import { type Kysely, sql } from 'kysely';
import type { ResultObject } from '../../../core/model/result-object.ts';
import { arrayLiteral } from '../array-literal.ts';
import type { FreshetTables } from '../freshet-tables.ts';
import { prepared } from '../prepared.ts';
import { genericPlansFollow } from './generic-plans.ts';

/**
 * Enters the objects' calls into the ledger and settles their grants.
 * Resolves with the ids of the calls that were new. A second writer of an object waits here, on the
 * ledger's key, until the first writer has committed, and then finds all calls in the ledger. The
 * statement stands first in the transaction.
 */
export async function recordCalls(
  db: Kysely<FreshetTables>,
  spaceId: number,
  results: readonly ResultObject[],
): Promise<ReadonlySet<string>> {
  const calls = results.flatMap(({ calls, runId }) => calls.map(call => ({ ...call, runId })));
  if (calls.length === 0) return new Set();
  const callIds = arrayLiteral(calls.map(call => call.callId));
  const { rows } = await sql<{ callId: string }>`${prepared}
    WITH settled AS (
      DELETE FROM freshet.grants WHERE call_id = ANY (${callIds}::uuid[])
    )
    INSERT INTO freshet.ledger (call_id, space_id, model_alias, lane, items, unique_texts, tokens, cost_usd,
                                latency_ms, outcome, request_id, run_id)
    SELECT u.call_id, ${spaceId}::int, u.model_alias, u.lane, u.items, u.unique_texts, u.tokens,
           u.cost_usd, u.latency_ms, u.outcome, u.request_id, u.run_id
      FROM unnest(${callIds}::uuid[],
                  ${arrayLiteral(calls.map(call => call.modelAlias))}::text[],
                  ${arrayLiteral(calls.map(call => call.lane))}::text[],
                  ${arrayLiteral(calls.map(call => call.items))}::int[],
                  ${arrayLiteral(calls.map(call => call.uniqueTexts))}::int[],
                  ${arrayLiteral(calls.map(call => call.tokens))}::bigint[],
                  ${arrayLiteral(calls.map(call => call.costUsd))}::float8[],
                  ${arrayLiteral(calls.map(call => call.latencyMs))}::float8[],
                  ${arrayLiteral(calls.map(call => call.outcome))}::text[],
                  ${arrayLiteral(calls.map(call => call.requestId))}::text[],
                  ${arrayLiteral(calls.map(call => call.runId))}::int[])
        AS u (call_id, model_alias, lane, items, unique_texts, tokens, cost_usd, latency_ms, outcome, request_id, run_id)
     WHERE ${genericPlansFollow}
     ORDER BY u.call_id
    ON CONFLICT (call_id) DO NOTHING
    RETURNING call_id::text AS "callId"`.execute(db);
  return new Set(rows.map(({ callId }) => callId));
}
