import { type Kysely, sql } from 'kysely';
import type { ResultObject } from '../../../core/model/result-object.ts';
import { arrayLiteral } from '../array-literal.ts';
import type { FreshetTables } from '../freshet-tables.ts';
import { prepared } from '../prepared.ts';

/**
 * The object's calls enter the ledger and their grants are settled. Gives back how many were new: a second writer of the same object
 * waits here, on the ledger's key, until the first has committed, and then finds all of them.
 */
export async function recordCalls(db: Kysely<FreshetTables>, result: ResultObject): Promise<number> {
  const { calls } = result;
  if (calls.length === 0) return 0;
  const callIds = arrayLiteral(calls.map(call => call.callId));
  const { rows } = await sql<{ recorded: number }>`${prepared}
    WITH settled AS (
      DELETE FROM freshet.grants WHERE call_id = ANY (${callIds}::uuid[])
    ), recorded AS (
      INSERT INTO freshet.ledger (call_id, space_id, model_alias, lane, items, unique_texts, tokens, cost_usd,
                                  latency_ms, outcome, request_id, run_id)
      SELECT u.call_id, ${result.spaceId}::int, u.model_alias, u.lane, u.items, u.unique_texts, u.tokens,
             u.cost_usd, u.latency_ms, u.outcome, u.request_id, ${result.runId}::int
        FROM unnest(${callIds}::uuid[],
                    ${arrayLiteral(calls.map(call => call.modelAlias))}::text[],
                    ${arrayLiteral(calls.map(call => call.lane))}::text[],
                    ${arrayLiteral(calls.map(call => call.items))}::int[],
                    ${arrayLiteral(calls.map(call => call.uniqueTexts))}::int[],
                    ${arrayLiteral(calls.map(call => call.tokens))}::bigint[],
                    ${arrayLiteral(calls.map(call => call.costUsd))}::float8[],
                    ${arrayLiteral(calls.map(call => call.latencyMs))}::float8[],
                    ${arrayLiteral(calls.map(call => call.outcome))}::text[],
                    ${arrayLiteral(calls.map(call => call.requestId))}::text[])
          AS u (call_id, model_alias, lane, items, unique_texts, tokens, cost_usd, latency_ms, outcome, request_id)
       ORDER BY u.call_id
      ON CONFLICT (call_id) DO NOTHING
      RETURNING 1
    )
    SELECT count(*)::int AS recorded FROM recorded`.execute(db);
  return rows[0]?.recorded ?? 0;
}
