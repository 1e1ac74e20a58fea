import { afterAll, beforeAll, expect, it } from 'vitest';
import { complete, openPipeline, type Pipeline } from './open-pipeline.ts';

const ROWS = 6000;
const KILLS = 12;
const BATCH_SIZE = 100;
const CONCURRENCY = 4;
const LATENCY_MS = 300;

let pipeline: Pipeline;

beforeAll(async () => {
  pipeline = await openPipeline({
    rows: ROWS,
    latencyMs: LATENCY_MS,
    limits: { batchSize: BATCH_SIZE, concurrency: CONCURRENCY },
  });
});
afterAll(() => pipeline.close());

/** Starts a run and kills it in the middle of its first calls. */
async function killInCalls(): Promise<void> {
  const { child, ended } = pipeline.start('run');
  pipeline.afterCalls(CONCURRENCY, () => setTimeout(() => child.kill('SIGKILL'), LATENCY_MS / 3));
  await ended;
  expect(child.signalCode).toBe('SIGKILL');
}

const readLost = async () => {
  const { ledger } = JSON.parse((await pipeline.start('status', '--json').ended).output) as {
    ledger: { paidAndLostCalls: number };
  };
  return ledger.paidAndLostCalls;
};

const countGrants = async () => {
  const [grants] = await pipeline.query<{ open: number; lost: number }>(
    `SELECT count(*) FILTER (WHERE lost_at IS NULL)::int AS open, count(lost_at)::int AS lost FROM freshet.grants`,
  );
  return grants ?? { open: 0, lost: 0 };
};

it(`after ${KILLS} kills with calls in flight the next run sends full batches and settles what was lost`, async () => {
  // A run that ends well tells the next ones that the server is fast.
  await pipeline.run('--max-items', '100');
  for (let kill = 0; kill < KILLS; kill += 1) await killInCalls();
  const { stale } = await pipeline.status();
  const callsBefore = pipeline.server.callCount;
  const paid = await readLost();
  expect(paid, 'status knows what is lost before anybody settled it').toBeGreaterThan(0);

  const result = await pipeline.run('--max-wait', '60s');

  expect(result.code, result.errors).toBe(0);
  expect(await pipeline.status()).toMatchObject(complete(ROWS));
  const calls = pipeline.server.callCount - callsBefore;
  expect(calls, `calls for ${stale} rows`).toBeLessThanOrEqual(1.5 * Math.ceil(stale / BATCH_SIZE));
  const boughtAgain = pipeline.purchases.length - new Set(pipeline.purchases).size;
  expect(boughtAgain).toBeLessThanOrEqual(KILLS * CONCURRENCY * BATCH_SIZE);
  const grants = await countGrants();
  expect(grants.open).toBe(0);
  expect(grants.lost).toBeGreaterThan(0);
  expect(await readLost(), 'each counts once').toBe(grants.lost);
}, 300_000);

it('a grant of a run that lives stays open', async () => {
  await pipeline.query(`UPDATE ai_items SET title = title || ' again', updated_at = now() WHERE id <= 400`);
  const before = await countGrants();
  const gate = Promise.withResolvers<void>();
  pipeline.afterCalls(1, gate.resolve);
  const { child, ended } = pipeline.start('run');
  await gate.promise;

  const other = await pipeline.run('--max-wait', '1s');

  expect((await countGrants()).lost, other.errors).toBe(before.lost);
  await ended;
  expect(child.exitCode).toBe(0);
  expect(await countGrants()).toEqual(before);
});
