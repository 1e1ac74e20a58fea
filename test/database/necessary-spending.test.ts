import { randomUUID } from 'node:crypto';
import { beforeEach, describe, expect, test } from 'vitest';
import type { SqlDatabase } from '../../lib/adapters/sql/database.ts';
import { createReportStore } from '../../lib/adapters/sql/report-store.ts';
import { buildCall, buildHash, buildResult, embedded } from '../factories/result-object.ts';
import { type OpenedSpace, openSpace } from './open-space.ts';
import { openTestDatabase } from './open-test-database.ts';

let db: SqlDatabase;
let opened: OpenedSpace;
const [ONE, TWO] = [buildHash(1), buildHash(2)];

beforeEach(async () => {
  db = await openTestDatabase();
  opened = await openSpace(db);
  await opened.run(
    `INSERT INTO public.ai_items (id, title) SELECT n, 'text ' || n FROM generate_series(1, 3) AS n`,
  );
  return () => db.close();
});

/** Reads rows 1 and 2, and answers what a call of $0.50 bought for them. */
async function buy(hashes: readonly [string, string] = [ONE, TWO]) {
  const rows = [await opened.readOne('1'), await opened.readOne('2')];
  const outcomes = rows.map((row, place) => embedded(row, [1, 0, 0], hashes[place]));
  const calls = [buildCall({ items: 2, uniqueTexts: new Set(hashes).size, costUsd: 0.5 })];
  return buildResult(opened.space, randomUUID(), { outcomes, calls });
}

const readLedger = () => createReportStore(db).readLedger(opened.space);

describe('what was necessary of what was paid', () => {
  test('is all of a call whose texts are stored, and nothing is entered for that', async () => {
    await opened.outcomes.writeResult(opened.space, await buy());

    expect(await readLedger()).toMatchObject({ costUsd: 0.5, necessaryUsd: 0.5 });
    expect(await opened.select('SELECT necessary_usd FROM freshet.ledger')).toEqual([
      { necessary_usd: null },
    ]);
  });

  test('leaves out a text whose row was deleted, or read anew, while it was bought', async () => {
    const deleted = await buy();
    await opened.run('DELETE FROM public.ai_items WHERE id = 2');
    await opened.outcomes.writeResult(opened.space, deleted);
    expect(await readLedger()).toMatchObject({ costUsd: 0.5, necessaryUsd: 0.25 });

    await opened.run(`INSERT INTO public.ai_items (id, title) VALUES (2, 'text 2')`);
    const [early, late] = [await buy(), await buy()];
    await opened.outcomes.writeResult(opened.space, late);
    await opened.passInstant();
    await opened.outcomes.writeResult(opened.space, early);
    expect(await readLedger()).toMatchObject({ costUsd: 1.5, necessaryUsd: 0.75 });
  });

  test('counts a text that one of its rows still has, and once a text that two objects brought', async () => {
    const shared = await buy([ONE, ONE]);
    await opened.run('DELETE FROM public.ai_items WHERE id = 2');
    await opened.outcomes.writeResult(opened.space, shared);
    expect(await readLedger()).toMatchObject({ costUsd: 0.5, necessaryUsd: 0.5 });

    await opened.run(`INSERT INTO public.ai_items (id, title) VALUES (2, 'text 2')`);
    await opened.outcomes.writeResults(opened.space, [await buy(), await buy()]);
    expect(await readLedger()).toMatchObject({ costUsd: 1.5, necessaryUsd: 1 });
  });

  test('is nothing of calls that failed or were for no row, nor of what was lost', async () => {
    const calls = [
      buildCall({ outcome: 'transient:timeout', costUsd: 0.5 }),
      buildCall({ items: 0, costUsd: 0.125 }),
    ];
    await opened.outcomes.writeResult(opened.space, buildResult(opened.space, randomUUID(), { calls }));
    await opened.run(`INSERT INTO freshet.grants
      (call_id, space_id, model_alias, estimated_tokens, estimated_cost_usd, lost_at)
      VALUES (gen_random_uuid(), ${opened.space.spaceId}, 'small', 10, 0.25, now())`);

    expect(await readLedger()).toMatchObject({
      ...{ costUsd: 0.625, necessaryUsd: 0, paidAndLostCalls: 1, paidAndLostCostUsd: 0.25 },
    });
  });
});
