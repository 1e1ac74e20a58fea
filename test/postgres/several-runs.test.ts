import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readObject } from '../bin/run-cli.ts';
import { complete, openPipeline, type Pipeline } from './open-pipeline.ts';

const ROWS = 4000;
const RUNS = 3;

let pipeline: Pipeline;
beforeAll(async () => {
  pipeline = await openPipeline({ rows: ROWS, latencyMs: 30, limits: { batchSize: 50, concurrency: 2 } });
});
afterAll(() => pipeline.close());

/** One database for the whole file: the first test begins without schema `freshet`. */
describe('three runs at once', () => {
  it.each(['on an empty database', 'after edits of every row'])('share the work %s', async round => {
    await pipeline.query('UPDATE ai_items SET title = title || $1, updated_at = now()', [` ${round}`]);
    const before = pipeline.purchases.length;

    const results = await Promise.all(Array.from({ length: RUNS }, () => pipeline.run()));

    for (const result of results) expect(result.code, result.errors).toBe(0);
    const bought = pipeline.purchases.slice(before);
    expect(bought).toHaveLength(ROWS);
    expect(new Set(bought).size).toBe(ROWS);
    const shares = results.map(result => Number(readObject(result).embedded));
    expect(shares.reduce((sum, share) => sum + share)).toBe(ROWS);
    expect(Math.min(...shares)).toBeGreaterThan(0);
    expect(await pipeline.status()).toMatchObject(complete(ROWS));
    expect(await pipeline.findWrongVectors()).toEqual([]);
    expect(await pipeline.countLeases()).toBe(0);
  });
});
