import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createSeededRandomness } from '../doubles/seeded-randomness.ts';
import { complete, openPipeline, type Pipeline } from './open-pipeline.ts';

const ROWS = 4000;
const KILLS = 50;
const EDITS_PER_ROUND = 120;
const BATCH_SIZE = 25;
/** The default: results of fewer workers do not wait for each other. */
const CONCURRENCY = 4;
/** A call lasts as long; so may the time between the call that a kill waits for and the kill. */
const LATENCY_MS = 20;
/** From the start of a process to its first call, about. */
const START_UP_MS = 800;
/**
 * How long a run may finish nothing.
 *
 * A lease of a run that is not known as dead lasts for 2 minutes and more, so that a run which
 * waits for one ends early, and not with code 0. The time that a run takes is no measure: it has
 * thousands of rows to embed, on whatever machine.
 */
const PATIENCE = '60s';

const seed = Number(process.env.FRESHET_SEED ?? Date.now() % 1_000_000);
const { fraction } = createSeededRandomness(seed);
const below = (limit: number) => Math.floor(fraction() * limit);

let pipeline: Pipeline;

beforeAll(async () => {
  pipeline = await openPipeline({
    rows: ROWS,
    latencyMs: LATENCY_MS,
    limits: { batchSize: BATCH_SIZE, concurrency: CONCURRENCY },
  });
});
afterAll(() => pipeline.close());

/** Starts a run and kills it: after so many calls and a moment, or at any time. Resolves with whether it was still there to be killed. */
async function killOneRun(): Promise<boolean> {
  const { child, ended } = pipeline.start('run');
  const killIn = (ms: number) => setTimeout(() => child.kill('SIGKILL'), ms);
  if (fraction() < 0.25) killIn(below(1.5 * START_UP_MS));
  else pipeline.afterCalls(1 + below(10), () => killIn(below(3 * LATENCY_MS)));
  await ended;
  pipeline.afterCalls(undefined);
  return child.signalCode === 'SIGKILL';
}

/** Each edit of a row gives a text that was never there before. */
const editRows = (round: number) =>
  pipeline.query(
    `UPDATE ai_items SET summary = summary || $1, updated_at = now()
      WHERE id IN (SELECT id FROM ai_items ORDER BY hashint8extended(id, $2) LIMIT $3)`,
    [` (${round})`, round, EDITS_PER_ROUND],
  );

async function runToEnd(): Promise<void> {
  const result = await pipeline.run('--max-wait', PATIENCE);
  expect(result.code, result.errors).toBe(0);
}

describe(`runs killed at any moment (FRESHET_SEED=${seed})`, () => {
  it(`leave nothing wrong, nothing lost and nothing that the next run waits for, ${KILLS} times over`, async () => {
    let kills = 0;
    for (let round = 1; kills < KILLS; round += 1) {
      await editRows(round);
      if (await killOneRun()) kills += 1;
      if (round % 10 === 0) await runToEnd();
    }
    await runToEnd();

    expect(await pipeline.status()).toMatchObject(complete(ROWS));
    expect(await pipeline.findWrongVectors()).toEqual([]);
    expect(await pipeline.countLeases()).toBe(0);
    const { purchases } = pipeline;
    const boughtAgain = purchases.length - new Set(purchases).size;
    expect(boughtAgain).toBeLessThanOrEqual(kills * CONCURRENCY * BATCH_SIZE);
    expect(boughtAgain, 'kills hit calls in flight').toBeGreaterThan(0);
    const [paid] = await pipeline.query<{ known: number }>(
      `SELECT ((SELECT count(*) FROM freshet.ledger WHERE outcome = 'ok') + (SELECT count(*) FROM freshet.grants))::int AS known`,
    );
    expect(paid?.known).toBeGreaterThanOrEqual(pipeline.server.callCount);
  }, 600_000);
});
