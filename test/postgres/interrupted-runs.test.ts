import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readObject } from '../bin/run-cli.ts';
import { complete, openPipeline, type Pipeline } from './open-pipeline.ts';

const ROWS = 600;
/** The five seconds, and one in which a busy machine ends a process. Virtual time tells the rest. */
const MOST_MS = 6000;

let pipeline: Pipeline;
let hold: Promise<void> | undefined;

beforeAll(async () => {
  pipeline = await openPipeline({
    rows: ROWS,
    hold: () => hold,
  });
});
afterAll(() => pipeline.close());

describe.each(['SIGINT', 'SIGTERM'] as const)('%s during a slow call', signal => {
  it('ends the run within 5 seconds, frees its rows, and the next run goes on at once', async () => {
    await pipeline.query('UPDATE ai_items SET title = title || $1, updated_at = now()', [` ${signal}`]);
    const gate = Promise.withResolvers<void>();
    const called = Promise.withResolvers<void>();
    hold = gate.promise;
    pipeline.afterCalls(1, called.resolve);
    const { child, ended } = pipeline.start('run', '--json');
    await called.promise;

    const sentMs = performance.now();
    child.kill(signal);
    const result = await ended;
    const tookMs = performance.now() - sentMs;

    expect(result.code, result.errors).toBe(130);
    expect(tookMs).toBeLessThan(MOST_MS);
    expect(readObject(result)).toMatchObject({ failed: 0 });
    expect(await pipeline.query('SELECT item_id FROM freshet.leases WHERE expires_at > now()')).toEqual([]);
    hold = undefined;
    gate.resolve();
    const next = await pipeline.run('--max-wait', '10s');
    expect(next.code, next.errors).toBe(0);
    expect(await pipeline.status()).toMatchObject(complete(ROWS));
    expect(await pipeline.findWrongVectors()).toEqual([]);
  });

  it('keeps what a call brings within the 5 seconds', async () => {
    await pipeline.query('UPDATE ai_items SET title = title || $1, updated_at = now() WHERE id <= 100', [
      ` kept ${signal}`,
    ]);
    const gate = Promise.withResolvers<void>();
    const called = Promise.withResolvers<void>();
    hold = gate.promise;
    pipeline.afterCalls(1, called.resolve);
    const { child, ended, errorsInclude } = pipeline.start('run', '--json');
    await called.promise;

    child.kill(signal);
    await errorsInclude('Stopping');
    hold = undefined;
    gate.resolve();
    const result = await ended;

    expect(result.code, result.errors).toBe(130);
    expect(readObject(result), result.errors + result.output).toMatchObject({ embedded: 100 });
    expect(await pipeline.findWrongVectors()).toEqual([]);
  });
});

describe('a run that cannot write', () => {
  it('stops buying after a few calls, gives up in time, and nothing is lost', async () => {
    await pipeline.query(`UPDATE ai_items SET title = title || ' unwritten', updated_at = now()`);
    hold = undefined;
    const other = await pipeline.open();
    await other.query('BEGIN; LOCK TABLE freshet.vectors_1 IN SHARE ROW EXCLUSIVE MODE');
    const before = pipeline.purchases.length;

    const startedMs = performance.now();
    const result = await pipeline.run('--max-wait', '3s', '--batch-size', '10', '--concurrency', '2');
    const tookMs = performance.now() - startedMs;
    await other.query('ROLLBACK');

    expect(result.code, result.errors).toBe(1);
    expect(readObject(result)).toMatchObject({ embedded: 0, failed: 0, error: { code: 'no_progress' } });
    expect(pipeline.purchases.length - before).toBeLessThanOrEqual(2 * 2 * 10);
    expect(tookMs).toBeLessThan(15_000);
    const next = await pipeline.run('--max-wait', '10s');
    expect(next.code, next.errors).toBe(0);
    expect(await pipeline.findWrongVectors()).toEqual([]);
  });
});
