import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { complete, openPipeline, type Pipeline } from './open-pipeline.ts';

const ROWS = 200;

let pipeline: Pipeline;
beforeEach(async () => {
  pipeline = await openPipeline({ rows: ROWS });
  await pipeline.query(`UPDATE ai_items SET updated_at = now() - interval '1 day'`);
  const migrated = await pipeline.start('migrate').ended;
  expect(migrated.code, migrated.errors).toBe(0);
});
afterEach(() => pipeline.close());

/** Leases as the deployed pipeline has them: of no local run. */
const leaseRows = (first: number, last: number, lane: string, stage: string, expires = '1 hour') =>
  pipeline.query(
    `INSERT INTO freshet.leases (space_id, item_id, dispatch_id, lane, stage, expires_at)
     SELECT space_id, n::text, $1::uuid, $4, $5, now() + $6::interval
       FROM freshet.spaces, generate_series($2::int, $3::int) AS n`,
    [randomUUID(), first, last, lane, stage, expires],
  );

/** Exit code of a run that did all it could while another holds rows. */
const HELD_ELSEWHERE = 4;

async function runToEnd(code = 0): Promise<void> {
  const result = await pipeline.run('--max-wait', code === 0 ? '10s' : '3s');
  expect(result.code, result.errors).toBe(code);
}

async function idsWithoutVector(): Promise<number[]> {
  const rows = await pipeline.query<{ id: string }>(
    'SELECT id FROM ai_items WHERE id NOT IN (SELECT item_id FROM freshet.vectors_1) ORDER BY id',
  );
  return rows.map(({ id }) => Number(id));
}

const range = (first: number, last: number) =>
  Array.from({ length: last - first + 1 }, (_, index) => first + index);

describe('a run beside the deployed pipeline', () => {
  it('leaves the rows that the other has in hand, whatever their stage, and does all others', async () => {
    await leaseRows(1, 10, 'bulk', 'sending');
    await leaseRows(11, 20, 'bulk', 'queued');
    await leaseRows(21, 30, 'fresh', 'queued');
    await leaseRows(31, 40, 'bulk', 'embedding');
    await leaseRows(41, 50, 'fresh', 'announced');

    await runToEnd(HELD_ELSEWHERE);

    expect(await idsWithoutVector()).toEqual(range(1, 50));
    expect(pipeline.purchases).toHaveLength(ROWS - 50);
    expect(await pipeline.status()).toMatchObject({ fresh: ROWS - 50, inFlight: 50, stale: 0 });
    expect(await pipeline.countLeases()).toBe(50);
  });

  it('takes over edited rows that wait in its bulk queue, and only those', async () => {
    await runToEnd();
    const before = pipeline.purchases.length;
    await pipeline.query(`UPDATE ai_items SET title = title || ' edited', updated_at = now() WHERE id <= 40`);
    await leaseRows(1, 10, 'bulk', 'queued');
    await leaseRows(11, 20, 'bulk', 'embedding');
    await leaseRows(21, 30, 'fresh', 'queued');
    await leaseRows(31, 40, 'bulk', 'sending');

    await runToEnd(HELD_ELSEWHERE);

    expect((await pipeline.findWrongVectors()).map(Number).toSorted((a, b) => a - b)).toEqual(range(11, 40));
    expect(pipeline.purchases).toHaveLength(before + 10);
    expect(await pipeline.countLeases()).toBe(30);
  });

  it('takes up at once what the other gave up, rows that it had begun in smaller batches', async () => {
    await leaseRows(1, 30, 'bulk', 'queued', '-1 second');
    await leaseRows(31, 60, 'fresh', 'embedding', '-1 second');
    await leaseRows(61, 90, 'bulk', 'announced', '-1 second');
    // The one that is given up now is the second: from then on the batches are smaller.
    await pipeline.query('UPDATE freshet.leases SET attempts = 1');

    await runToEnd();

    expect(await pipeline.status()).toMatchObject(complete(ROWS));
    expect(await pipeline.findWrongVectors()).toEqual([]);
    expect(pipeline.purchases).toHaveLength(ROWS);
    const calls = await pipeline.query<{ texts: number }>(
      'SELECT unique_texts AS texts FROM freshet.ledger ORDER BY unique_texts',
    );
    expect(calls.filter(({ texts }) => texts === 10).length).toBeGreaterThanOrEqual(6);
    expect(await pipeline.countLeases()).toBe(0);
  });
});
