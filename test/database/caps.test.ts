import { randomUUID } from 'node:crypto';
import { beforeEach, describe, expect, test } from 'vitest';
import { readSpending } from '../../lib/adapters/sql/caps.ts';
import { createDetectionStore } from '../../lib/adapters/sql/detection-store.ts';
import { createEmbeddingStore } from '../../lib/adapters/sql/embedding-store.ts';
import { type Budget, listCaps } from '../../lib/core/budget.ts';
import { buildCall, buildResult } from '../factories/result-object.ts';
import { type OpenedSpace, openSpace } from './open-space.ts';
import { openTestDatabase } from './open-test-database.ts';

let opened: OpenedSpace;

beforeEach(async () => {
  const db = await openTestDatabase();
  opened = await openSpace(db);
  return () => db.close();
});

function grant(budget: Budget, usd: number, callId: string = randomUUID()) {
  const { db, space } = opened;
  const store = createEmbeddingStore(db, listCaps(budget));
  const call = { callId, spaceId: space.spaceId, modelAlias: 'small', estimatedTokens: 10 };
  return store.grantCall(space, { ...call, estimatedCostUsd: usd });
}

const lift = (budget: Budget) =>
  createDetectionStore(opened.db, { caps: listCaps(budget) }).liftBudgetPauses();
const pauses = () =>
  opened.select<{ scope: string; reason: string; detail: string }>(
    'SELECT scope, reason, detail FROM freshet.control',
  );
const grants = async () => (await opened.select('SELECT 1 FROM freshet.grants')).length;

describe('a cap', () => {
  test('allows calls up to it, and refuses the call that would go beyond with a pause that says why', async () => {
    const budget = { usdPerDay: 1 };

    expect(await grant(budget, 0.6)).toBeUndefined();
    expect(await grant(budget, 0.4)).toBeUndefined();
    expect(await grant(budget, 0.01)).toEqual({ scope: 'pipeline', reason: 'budget' });

    expect(await grants()).toBe(2);
    expect(await pauses()).toEqual([
      { scope: 'pipeline', reason: 'budget', detail: expect.stringContaining('budget.usdPerDay is 1') },
    ]);
  });

  test('counts what was settled at its cost, and what is open or lost at its estimate', async () => {
    const { space, outcomes } = opened;
    const [settled, lost] = [randomUUID(), randomUUID()];
    const budget = { usdPerDay: 1 };
    await grant(budget, 0.9, settled);
    const call = buildCall({ callId: settled, costUsd: 0.3 });
    await outcomes.writeResult(space, buildResult(space, randomUUID(), { calls: [call] }));
    await grant(budget, 0.4, lost);
    await opened.run(`UPDATE freshet.grants SET lost_at = now()`);

    expect(await grant(budget, 0.31)).toMatchObject({ reason: 'budget' });
    await opened.run('DELETE FROM freshet.control');
    expect(await grant(budget, 0.3)).toBeUndefined();
  });

  test('counts what a call was billed as soon as that is known, and leaves lost and settled calls', async () => {
    const [dearer, cheaper, lost] = [randomUUID(), randomUUID(), randomUUID()];
    const budget = { usdPerDay: 2 };
    for (const callId of [dearer, cheaper, lost]) await grant(budget, 0.5, callId);
    await opened.run(`UPDATE freshet.grants SET lost_at = now() WHERE call_id = '${lost}'`);
    const { noteBill } = createEmbeddingStore(opened.db, listCaps(budget));

    await noteBill?.(dearer, 1.25);
    await noteBill?.(cheaper, 0.125);
    await noteBill?.(lost, 0);
    await noteBill?.(randomUUID(), 9);

    const [spending] = await readSpending(opened.db, listCaps(budget));
    expect(spending?.spentUsd).toBe(1.875);
    expect(await grant(budget, 0.126)).toMatchObject({ reason: 'budget' });
    expect(await grant({ usdPerDay: 2.5 }, 0.126)).toMatchObject({ reason: 'budget' });
    await opened.run('DELETE FROM freshet.control');
    expect(await grant(budget, 0.125)).toBeUndefined();
  });

  test('asks for no bill where none is configured', () => {
    expect(createEmbeddingStore(opened.db).noteBill).toBeUndefined();
  });

  test('of a source pauses that source alone, and others do not count against it', async () => {
    const budget = { perSource: { ai_items: { usdPerMonth: 1 }, other: { usdPerDay: 0.1 } } };

    expect(await grant(budget, 0.9)).toBeUndefined();
    expect(await grant(budget, 0.2)).toEqual({ scope: 'source:ai_items', reason: 'budget' });
  });

  test('never refuses a call that costs nothing', async () => {
    await grant({ usdPerDay: 1 }, 1);

    expect(await grant({ usdPerDay: 1 }, 0)).toBeUndefined();
  });

  test('of a day begins anew with the day, and of a month with the month', async () => {
    const budget = { usdPerDay: 1, usdPerMonth: 1.5 };
    await grant(budget, 1);
    await opened.run(`UPDATE freshet.grants SET granted_at = date_trunc('day', now() AT TIME ZONE 'UTC')
      AT TIME ZONE 'UTC' - interval '1 second'`);

    const sameMonth = await opened.select<{ same: boolean }>(
      `SELECT date_trunc('month', g.granted_at AT TIME ZONE 'UTC') = date_trunc('month', now() AT TIME ZONE 'UTC') AS same
         FROM freshet.grants AS g`,
    );
    expect(await grant(budget, 0.4)).toBeUndefined();
    expect(await grant(budget, 0.3)).toEqual(
      sameMonth[0]?.same ? { scope: 'pipeline', reason: 'budget' } : undefined,
    );
  });
});

describe('what is spent of a cap', () => {
  test('comes with its percentage, and with the end of its period in UTC', async () => {
    const budget = { usdPerDay: 1, usdPerMonth: 10, perSource: { ai_items: { usdPerDay: 0.5 } } };
    let today: Date;
    let spending: Awaited<ReturnType<typeof readSpending>>;
    // Once more where midnight passes meanwhile: the next day begins with nothing spent.
    do {
      today = new Date();
      await opened.run('DELETE FROM freshet.grants');
      await grant({}, 0.1 + 0.2);
      spending = await readSpending(opened.db, listCaps(budget));
    } while (new Date().getUTCDate() !== today.getUTCDate());

    const [year, month, day] = [today.getUTCFullYear(), today.getUTCMonth(), today.getUTCDate()];
    const end = (ms: number) => new Date(ms).toISOString().replace('.000', '');
    const endsOn = { day: end(Date.UTC(year, month, day + 1)), month: end(Date.UTC(year, month + 1, 1)) };
    const told = spending.map(({ scope, period, percent, endsAt }) => ({ scope, period, percent, endsAt }));
    expect(told).toEqual([
      { scope: 'pipeline', period: 'day', percent: 30, endsAt: endsOn.day },
      { scope: 'pipeline', period: 'month', percent: 3, endsAt: endsOn.month },
      { scope: 'source:ai_items', period: 'day', percent: 60, endsAt: endsOn.day },
    ]);
  });
});

describe('what was spent in hours that are over', () => {
  const budget = { usdPerDay: 100, usdPerMonth: 100 };
  const spend = (usd: number, ago: string) =>
    opened.run(`INSERT INTO freshet.ledger (call_id, space_id, model_alias, lane, items, unique_texts, tokens, cost_usd,
        latency_ms, outcome, recorded_at)
      VALUES (gen_random_uuid(), ${opened.space.spaceId}, 'small', 'bulk', 1, 1, 1, ${usd}, 1, 'ok', now() - interval '${ago}')`);
  const read = async () =>
    (await readSpending(opened.db, listCaps(budget))).map(({ spentUsd }) => Math.round(spentUsd * 1e6) / 1e6);

  test('is summed up once by a tick, and counts against caps as before', async () => {
    await spend(1, '150 minutes');
    await spend(2, '151 minutes');
    await spend(4, '10 minutes');
    const before = await read();

    await lift(budget);
    await lift(budget);
    await spend(8, '0 minutes');

    const sums = await opened.select<{ usd: number; over: boolean }>(
      `SELECT sum(cost_usd) AS usd, max(hour) + interval '75 minutes' <= now() AS over FROM freshet.spending`,
    );
    expect(sums).toEqual([{ usd: 3, over: true }]);
    expect(await read()).toEqual(before.map(usd => usd + 8));
    await opened.run(`UPDATE freshet.ledger SET cost_usd = 0 WHERE recorded_at < now() - interval '1 hour'`);
    expect(await read()).toEqual(before.map(usd => usd + 8));
  });

  test('counts where a transaction lasted longer than an hour stays open', async () => {
    await spend(1, '150 minutes');
    await lift(budget);
    const before = await read();

    // At the same moment, so that no midnight lies between the two.
    await opened.run(`INSERT INTO freshet.ledger (call_id, space_id, model_alias, lane, items, unique_texts,
        tokens, cost_usd, latency_ms, outcome, recorded_at)
      SELECT gen_random_uuid(), space_id, 'small', 'bulk', 1, 1, 1, 2, 1, 'ok', recorded_at FROM freshet.ledger`);
    await lift(budget);

    expect(await read()).toEqual(before.map(usd => usd + (usd === 0 ? 0 : 2)));
  });

  test('counts where the clock was hours ahead when hours were summed up', async () => {
    await opened.run(`INSERT INTO freshet.spending (hour, space_id, cost_usd)
      VALUES (date_trunc('hour', now()) + interval '5 hours', ${opened.space.spaceId}, 16)`);
    await spend(1, '0 minutes');

    expect(await read()).toEqual([1, 1]);
  });

  test('is summed up only where a cap asks for it', async () => {
    await spend(1, '150 minutes');
    await lift({});

    expect(await opened.select('SELECT 1 FROM freshet.spending')).toEqual([]);
  });
});

describe('a pause of a cap', () => {
  const budget = { usdPerDay: 1 };
  beforeEach(async () => {
    await grant(budget, 2);
  });

  test('holds while the period lasts and the cap stands', async () => {
    expect(await lift(budget)).toBe(0);
    expect(await pauses()).toHaveLength(1);
  });

  test('is lifted once the cap is raised or gone, and calls go on', async () => {
    expect(await lift({ usdPerDay: 5 })).toBe(1);
    expect(await pauses()).toEqual([]);
    expect(await grant({ usdPerDay: 5 }, 2)).toBeUndefined();
    expect(await lift({})).toBe(0);
  });

  test('is lifted once its period is over', async () => {
    await opened.run(`UPDATE freshet.control SET since = now() - interval '24 hours'`);

    expect(await lift(budget)).toBe(1);
  });

  test('leaves the pauses of people and failures as they are', async () => {
    await opened.run(`INSERT INTO freshet.control (scope, reason) VALUES ('pipeline', 'operator')`);
    await lift({});

    expect(await pauses()).toMatchObject([{ reason: 'operator' }]);
  });
});
