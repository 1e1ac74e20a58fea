import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { complete, openPipeline, type Pipeline } from './open-pipeline.ts';

const ROWS = 2_000;
/** A message has fifty calls, and what it bought is written at its end. */
const BATCH_SIZE = 100;
const TEXTS_PER_CALL = 2;
const WORKERS = 4;
/** So much a million tokens that a call of 2 rows costs about half a dollar. */
const USD_PER_MILLION = 10_000;
const CAP_USD = 8;

interface Worlds {
  readonly bills: string;
  /** Billed tokens for each character; the estimate has about a fourth. */
  readonly tokensPerCharacter: number;
}

describe.each<Worlds>([
  { bills: 'as estimated', tokensPerCharacter: 0.25 },
  { bills: 'six times what is estimated', tokensPerCharacter: 1.5 },
])('four workers under a cap, billed $bills, one of them killed between grant and settlement', world => {
  let pipeline: Pipeline;
  /** Called for each call that the provider gets, before it answers. */
  let onCall: () => Promise<void> = async () => {};
  let billedTokens = 0;

  beforeAll(async () => {
    pipeline = await openPipeline({
      rows: ROWS,
      latencyMs: 10,
      usdPerMillionTokens: USD_PER_MILLION,
      budget: { usdPerDay: CAP_USD },
      limits: { batchSize: BATCH_SIZE, concurrency: 1 },
      callLimits: { maxTextsPerCall: TEXTS_PER_CALL },
      hold: () => onCall(),
      countTokens: text => {
        const tokens = Math.ceil(world.tokensPerCharacter * text.length);
        billedTokens += tokens;
        return tokens;
      },
    });
    const migrated = await pipeline.start('migrate', '--json').ended;
    expect(migrated.code, migrated.errors).toBe(0);
  });
  afterAll(() => pipeline.close());

  const readSpending = async () => {
    const [row] = await pipeline.query<{ spent: number; most: number; lost: number }>(
      `SELECT (SELECT coalesce(sum(cost_usd), 0) FROM freshet.ledger)
              + (SELECT coalesce(sum(estimated_cost_usd), 0) FROM freshet.grants) AS spent,
              (SELECT max(cost_usd) FROM freshet.ledger) AS most,
              (SELECT count(*)::int FROM freshet.grants) AS lost`,
    );
    return row!;
  };

  it('spend at most the cap and one call each, fail nothing, and complete once the cap is raised', async () => {
    const workers = Array.from({ length: WORKERS }, () =>
      pipeline.start('run', '--json', '--max-wait', '60s'),
    );
    let calls = 0;
    onCall = async () => {
      calls += 1;
      if (calls === 3) {
        workers[0]!.child.kill('SIGKILL');
        await workers[0]!.ended;
      }
    };
    const ends = await Promise.all(workers.map(worker => worker.ended));
    const billedUsd = (billedTokens * USD_PER_MILLION) / 1e6;
    const spending = await readSpending();
    const status = await pipeline.status();

    expect(ends[0]!.code).toBeNull();
    expect(
      ends.slice(1).map(({ code }) => code),
      ends[1]!.errors,
    ).toEqual([5, 5, 5]);
    expect(spending.spent).toBeLessThanOrEqual(CAP_USD + WORKERS * spending.most);
    expect(billedUsd).toBeLessThanOrEqual(CAP_USD + WORKERS * spending.most);
    expect(spending.spent).toBeGreaterThan(CAP_USD - spending.most);
    expect(status).toMatchObject({ failed: 0, eligible: ROWS });
    expect(status.stale).toBeGreaterThan(0);

    onCall = async () => {};
    pipeline.configure({ budget: { usdPerDay: 10_000 } });
    const raised = await pipeline.run('--max-wait', '60s');

    expect(raised.code, raised.errors).toBe(0);
    expect(await pipeline.status()).toMatchObject(complete(ROWS));
    expect(await pipeline.findWrongVectors()).toEqual([]);
  }, 240_000);
});
