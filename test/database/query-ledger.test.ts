import { randomUUID } from 'node:crypto';
import { beforeEach, describe, expect, test } from 'vitest';
import { readSpending, sumUpSpending } from '../../lib/adapters/sql/caps.ts';
import { createDetectionStore } from '../../lib/adapters/sql/detection-store.ts';
import { createEmbeddingStore } from '../../lib/adapters/sql/embedding-store.ts';
import { createQueryLedger } from '../../lib/adapters/sql/query-ledger.ts';
import { createReportStore } from '../../lib/adapters/sql/report-store.ts';
import { listCaps } from '../../lib/core/budget.ts';
import type { QueryEntry } from '../../lib/ports/embedding-service.ts';
import { type OpenedSpace, openSpace } from './open-space.ts';
import { openTestDatabase } from './open-test-database.ts';

let opened: OpenedSpace;
beforeEach(async () => {
  const db = await openTestDatabase();
  opened = await openSpace(db);
  return () => db.close();
});

const makeEntry = (changes: Partial<QueryEntry> = {}): QueryEntry => ({
  ...{ entryId: randomUUID(), modelAlias: 'small', calls: 2, texts: 3, tokens: 40, costUsd: 0.5 },
  ...changes,
});
const enter = (...entries: QueryEntry[]) => createQueryLedger(opened.db).enter(entries);
const age = (ago: string) =>
  opened.run(`UPDATE freshet.query_ledger SET recorded_at = recorded_at - interval '${ago}'`);
const tick = () => createDetectionStore(opened.db).liftBudgetPauses();
const readTotals = () => createReportStore(opened.db).readQueries();
const count = async (table: string) => (await opened.select(`SELECT 1 FROM freshet.${table}`)).length;
const budget = { usdPerDay: 1, perSource: { ai_items: { usdPerDay: 1 } } };

describe('the ledger of queries', () => {
  test('enters each entry once, as of now by the clock of the database', async () => {
    const [first, second] = [makeEntry(), makeEntry({ modelAlias: 'model "é", {of} a\\b', costUsd: 1e-7 })];
    await enter(first);
    await enter(first, second);

    const rows = await opened.select<{ model_alias: string; cost_usd: number; now: boolean }>(
      `SELECT model_alias, cost_usd, recorded_at > now() - interval '1 minute' AS now
         FROM freshet.query_ledger ORDER BY cost_usd DESC`,
    );
    expect(rows).toEqual([
      { model_alias: 'small', cost_usd: 0.5, now: true },
      { model_alias: second.modelAlias, cost_usd: 1e-7, now: true },
    ]);
  });

  test('has totals that stay as they are when hours are summed up and entries are deleted', async () => {
    await enter(makeEntry(), makeEntry({ modelAlias: 'large' }));
    await age('8 days');
    await enter(makeEntry());
    await age('3 hours');
    await enter(makeEntry({ costUsd: 0.25 }));
    const before = await readTotals();

    await tick();
    await tick();

    expect(before).toMatchObject({ providerCalls: 8, tokens: 160, costUsd: 1.75 });
    expect(await readTotals()).toEqual(before);
    expect([await count('query_ledger'), await count('query_spending')]).toEqual([2, 3]);
  });

  test('is summed up where no cap asks for it, for it is deleted then', async () => {
    await enter(makeEntry());
    await age('3 hours');
    await tick();

    expect(await count('query_spending')).toBe(1);
  });

  test('names what was spent since midnight UTC', async () => {
    await enter(makeEntry());
    await age('25 hours');
    await enter(makeEntry({ costUsd: 0.25 }));

    expect(await readTotals()).toMatchObject({ costUsd: 0.75, costUsdToday: 0.25 });
  });
});

describe('caps', () => {
  const spent = async () =>
    (await readSpending(opened.db, listCaps(budget))).map(({ scope, spentUsd }) => [scope, spentUsd]);
  const grant = () => {
    const { db, space } = opened;
    const call = { callId: randomUUID(), spaceId: space.spaceId, modelAlias: 'small', estimatedTokens: 10 };
    return createEmbeddingStore(db, listCaps(budget)).grantCall(space, { ...call, estimatedCostUsd: 0.6 });
  };

  test('of all sources count queries of their period, and those of one source do not', async () => {
    await enter(makeEntry());
    expect(await spent()).toEqual([
      ['pipeline', 0.5],
      ['source:ai_items', 0],
    ]);
    expect(await grant()).toEqual({ scope: 'pipeline', reason: 'budget' });

    await opened.run('DELETE FROM freshet.control');
    await age('25 hours');
    expect(await grant()).toBeUndefined();
  });

  test('count queries of hours that are summed up once', async () => {
    await enter(makeEntry());
    await age('2 hours');
    await enter(makeEntry({ costUsd: 0.125 }));
    const before = await spent();
    await tick();

    expect(await spent()).toEqual(before);
  });

  test('that older code keeps have nothing to do with queries, and its sums of the ledger are made', async () => {
    await enter(makeEntry());
    await opened.run(`INSERT INTO freshet.ledger (call_id, space_id, model_alias, lane, items, unique_texts, tokens,
        cost_usd, latency_ms, outcome, recorded_at)
      VALUES (gen_random_uuid(), ${opened.space.spaceId}, 'small', 'bulk', 1, 1, 1, 1, 1, 'ok', now() - interval '3 hours')`);

    await sumUpSpending(opened.db);

    expect(await opened.select('SELECT space_id, cost_usd FROM freshet.spending')).toEqual([
      { space_id: opened.space.spaceId, cost_usd: 1 },
    ]);
  });
});
