import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readObject } from '../bin/run-cli.ts';
import { complete, openPipeline, type Pipeline } from './open-pipeline.ts';

const ROWS = 20_000;
const EDITS_BEFORE = 100;

let pipeline: Pipeline;
let hold: Promise<void> | undefined;
let calledBack: (() => void) | undefined;

beforeAll(async () => {
  pipeline = await openPipeline({
    rows: ROWS,
    hold: () => {
      calledBack?.();
      return hold;
    },
  });
});
afterAll(() => pipeline.close());

/** The texts bought by what `work` does. */
async function buying(work: () => Promise<unknown>): Promise<string[]> {
  const before = pipeline.purchases.length;
  await work();
  return pipeline.purchases.slice(before);
}

async function runToEnd(): Promise<Record<string, unknown>> {
  const result = await pipeline.run();
  expect(result.code, result.errors).toBe(0);
  return readObject(result);
}

const editTitles = (from: number, to: number, mark: string) =>
  pipeline.query(
    `UPDATE ai_items SET title = title || $3, updated_at = now() WHERE id BETWEEN $1 AND $2 RETURNING id`,
    [from, to, mark],
  );

async function textsOf(from: number, to: number): Promise<string[]> {
  const texts = await pipeline.readTexts();
  return Array.from({ length: to - from + 1 }, (_, index) => texts.get(`${from + index}`)!);
}

const readStoredRows = () =>
  pipeline.query('SELECT item_id, xmin::text, ctid::text FROM freshet.vectors_1 ORDER BY item_id');

/** One database for the whole file: each test starts from where the one before left it. */
describe('20,000 rows of real text on PostgreSQL', () => {
  it('are all embedded by one run, each distinct text bought once', async () => {
    const bought = await buying(runToEnd);

    const distinct = new Set((await pipeline.readTexts()).values());
    expect(new Set(bought)).toEqual(distinct);
    expect(bought.length).toBe(distinct.size);
    expect(await pipeline.status()).toMatchObject(complete(ROWS));
    expect(await pipeline.findWrongVectors()).toEqual([]);
  });

  it('cost no call and no row change in a run after it', async () => {
    const before = await readStoredRows();

    const bought = await buying(async () => {
      expect(await runToEnd()).toMatchObject({ providerCalls: 0, embedded: 0, copied: 0, touched: 0 });
    });

    expect(bought).toEqual([]);
    expect(await readStoredRows()).toEqual(before);
  });

  it('that change during a run are bought once for each changed text, those of an open transaction after its commit', async () => {
    const late = await pipeline.open();
    await late.query('BEGIN');
    await late.query(
      `UPDATE ai_items SET title = title || ' late', updated_at = now() WHERE id BETWEEN 5001 AND 5030`,
    );
    await editTitles(1, EDITS_BEFORE, ' edited');
    const firstTexts = await textsOf(1, EDITS_BEFORE);
    const gate = Promise.withResolvers<void>();
    const called = Promise.withResolvers<void>();
    hold = gate.promise;
    calledBack = called.resolve;

    const bought = await buying(async () => {
      const running = runToEnd();
      await called.promise;
      await editTitles(101, 200, ' edited');
      await editTitles(1, 20, ' twice');
      await pipeline.query('DELETE FROM ai_items WHERE id BETWEEN 91 AND 100 OR id BETWEEN 3001 AND 3040');
      await pipeline.query('UPDATE ai_items SET updated_at = now() WHERE id BETWEEN 4001 AND 4100');
      hold = undefined;
      gate.resolve();
      expect(await running).toMatchObject({ touched: 100, failed: 0 });
    });

    const changed = [...firstTexts, ...(await textsOf(101, 200)), ...(await textsOf(1, 20))];
    expect(bought.toSorted()).toEqual(changed.toSorted());
    expect(await pipeline.status()).toMatchObject(complete(ROWS - 50));

    await late.query('COMMIT');
    const boughtLate = await buying(runToEnd);

    expect(boughtLate.toSorted()).toEqual((await textsOf(5001, 5030)).toSorted());
    expect(await pipeline.status()).toMatchObject(complete(ROWS - 50));
    expect(await pipeline.findWrongVectors()).toEqual([]);
    expect(await pipeline.countLeases()).toBe(0);
  });

  it('are left alone again once nothing changes', async () => {
    const before = await readStoredRows();

    const bought = await buying(runToEnd);

    expect(bought).toEqual([]);
    expect(await readStoredRows()).toEqual(before);
  });
});
