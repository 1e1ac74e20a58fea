import { sql } from 'kysely';
import { beforeEach, describe, expect, test } from 'vitest';
import { createPaceStore } from '../../lib/adapters/sql/pace-store.ts';
import { createReportStore } from '../../lib/adapters/sql/report-store.ts';
import type { Space } from '../../lib/core/model.ts';
import { describeBatches, describeLimits, describeQueue, hasLimits } from '../../lib/core/model-flow.ts';
import { openSpace } from './open-space.ts';
import { openTestDatabase } from './open-test-database.ts';
import { stopClock } from './stop-clock.ts';

let space: Space;
let run: (statement: string) => Promise<unknown>;
let paces: ReturnType<typeof createPaceStore>;
let reports: ReturnType<typeof createReportStore>;

beforeEach(async () => {
  const db = await openTestDatabase();
  space = (await openSpace(db)).space;
  const stopped = await stopClock(db);
  run = statement => sql.raw(statement).execute(stopped.db.kysely);
  paces = createPaceStore(stopped.db);
  reports = createReportStore(stopped.db);
  return async () => {
    await stopped.end();
    await db.close();
  };
});

const LIMITS = { requestsPerMinute: null, tokensPerMinute: 6_000 };
const readFlow = async (limits?: object) => {
  const [flow] = await reports.readFlows([
    { ...space, model: { ...space.model, ...(limits && { limits }) } },
  ]);
  return flow!;
};

describe('how the work of a model flows', () => {
  test('is nothing before the first call', async () => {
    expect(await readFlow()).toEqual({
      model: space.model.alias,
      limits: { requestsPerMinute: null, tokensPerMinute: null },
      used: { requests: 0, tokens: 0 },
      ...{ share: 1, throttledAt: null, waitSeconds: 0, isEditFirst: false, calls: 0, callsAtOnce: null },
      ...{ queues: [], batches: null },
    });
    expect(await reports.readFlows([])).toEqual([]);
  });

  test('tells the lower limit, what was used of it, and what refusals did', async () => {
    const { alias } = space.model;
    const ask = {
      lane: 'fresh',
      tokens: 970,
      largestTokens: 1_000,
      hidesAboveMs: null,
      limits: LIMITS,
    } as const;
    await paces.takeTurn(alias, { callId: '00000000-0000-4000-8000-000000000001', runId: null }, 60);
    await paces.takeRate(alias, ask);
    await paces.takeRate(alias, ask);
    const learned = { requestsPerMinute: 60, tokensPerMinute: 9_000 };
    const news = { ...{ limits: LIMITS, excessTokens: 0 }, learned };
    await paces.noteRate(alias, { ...news, isAnswered: true });
    // The limit was named longer ago than the window that it explains.
    await run('UPDATE freshet.paces SET throttled_at = NULL');
    await paces.noteRate(alias, {
      ...{ ...news, isAnswered: false },
      throttled: { retryAfterMs: 30_000, lowersRate: true },
    });
    await run(
      `INSERT INTO freshet.ledger (call_id, space_id, model_alias, lane, items, unique_texts, tokens, cost_usd,
         latency_ms, outcome, recorded_at)
       SELECT gen_random_uuid(), ${space.spaceId}, '${alias}', 'bulk', 1, 1, 100, 0, 5, 'ok', now() - age
         FROM unnest(ARRAY['1 second', '50 seconds', '2 minutes']::interval[]) AS age`,
    );

    const flow = await readFlow(LIMITS);

    expect(flow).toMatchObject({
      limits: { requestsPerMinute: 60, tokensPerMinute: 6_000 },
      used: { requests: 2, tokens: 200 },
      ...{ isEditFirst: true, calls: 1, callsAtOnce: 1 },
    });
    expect(flow.share).toBeCloseTo(0.7, 5);
    expect(flow.throttledAt).toMatch(/^\d{4}-/);
    expect(flow.waitSeconds).toBeCloseTo(30, 3);
    expect(describeLimits({ ...flow, share: 0.7, throttledAt: '2026-01-01', waitSeconds: 30 })).toBe(
      '2 of 60 requests and 200 of 6,000 tokens in the last minute; 1 of 1 call under way; ' +
        'throttled at 2026-01-01, now at 70 % of the limit; the provider asks to wait 30.0 s; ' +
        'bulk work lets an edit go first',
    );
  });

  test('says nothing of limits where there are none', async () => {
    const flow = { ...(await readFlow()), used: { requests: 2, tokens: 1_200 } };

    expect(hasLimits(flow)).toBe(false);
    expect(describeLimits(flow)).toBe('2 requests and 1,200 tokens in the last minute');
    expect(hasLimits({ ...flow, limits: LIMITS })).toBe(true);
  });

  test('counts the rows of each lane by what they wait for, and the open batches', async () => {
    const { alias } = space.model;
    await run(
      `INSERT INTO freshet.leases (space_id, item_id, dispatch_id, lane, stage, first_seen, expires_at, waits_for)
       SELECT ${space.spaceId}, n::text, gen_random_uuid(), lane, stage, now() - age::interval, now() + expires::interval,
              CASE WHEN batched THEN '\\x00'::bytea END
         FROM (VALUES (1, 'fresh', 'queued', '3 seconds', '1 hour', false), (2, 'bulk', 'announced', '9 seconds', '1 hour', false),
                      (3, 'bulk', 'queued', '1 second', '1 hour', true), (4, 'bulk', 'sending', '1 second', '-1 second', false))
           AS lease (n, lane, stage, age, expires, batched)`,
    );
    await run(
      `INSERT INTO freshet.batches (batch_id, space_id, model_alias, state, texts, tokens, usd_per_million_tokens,
         dimensions, normalized, created_at, next_look_at)
       SELECT gen_random_uuid(), ${space.spaceId}, '${alias}', state, 40, 400, 0.01, 8, true, now() - interval '1 hour', now()
         FROM unnest(ARRAY['open', 'submitting', 'settled', 'ended']) AS state`,
    );
    await run(
      `INSERT INTO freshet.batch_texts (space_id, content_hash, state, item_id, tokens)
       VALUES (${space.spaceId}, '\\x01', 'collected', '3', 5), (${space.spaceId}, '\\x02', 'ready', '4', 5)`,
    );
    await run(
      `INSERT INTO freshet.batch_holds (model_alias, until, code)
       VALUES ('${alias}', now() + interval '1 minute', 'token_limit_exceeded'), ('other', now() + interval '1 minute', 'x')`,
    );

    const { queues, batches } = await readFlow();

    const lane = (name: string) => queues.find(queue => queue.lane === name);
    expect(queues).toHaveLength(2);
    expect(lane('fresh')).toMatchObject({ waiting: 1, announced: 0, batched: 0 });
    expect(lane('bulk')).toMatchObject({ waiting: 0, announced: 1, batched: 1 });
    expect(lane('bulk')?.oldestSeconds).toBeCloseTo(9, 3);
    expect(batches).toMatchObject({ open: 2, texts: 80, collected: 1, heldBy: 'token_limit_exceeded' });
    expect(batches?.oldestSeconds).toBeCloseTo(3600, 3);
    expect(describeQueue({ ...lane('bulk')!, oldestSeconds: 9 })).toBe(
      '0 rows wait, 1 to be written, 1 in the batch lane; the oldest for 9.0 s',
    );
    expect(describeBatches({ ...batches!, oldestSeconds: 60 })).toBe(
      '2 open batches with 80 texts, the oldest for 1 min 0 s; 1 texts wait for the next one; ' +
        'none is submitted now: token_limit_exceeded',
    );
  });
});
