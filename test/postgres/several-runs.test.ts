import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readObject } from '../bin/run-cli.ts';
import { complete, openPipeline, type Pipeline } from './open-pipeline.ts';

const ROWS = 4000;
const RUNS = 3;

let pipeline: Pipeline;
beforeAll(async () => {
  pipeline = await openPipeline({ rows: ROWS, latencyMs: 150, limits: { batchSize: 50, concurrency: 2 } });
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

describe('a run beside another that holds rows', () => {
  it('says so, ends with code 4 after --max-wait, and with 0 where the other one finishes in time', async () => {
    const gate = Promise.withResolvers<void>();
    const called = Promise.withResolvers<void>();
    const held = await openPipeline({
      ...{ rows: 300, limits: { batchSize: 100, concurrency: 1 } },
      hold: (_call, callsBefore) => {
        if (callsBefore > 0) return undefined;
        called.resolve();
        return gate.promise;
      },
    });
    try {
      const first = held.start('run', '--json');
      await called.promise;
      const impatient = await held.run('--max-wait', '3s');
      const patient = held.start('run', '--json', '--max-wait', '60s');
      await patient.errorsInclude('held by another run');
      gate.resolve();
      const [firstEnd, patientEnd] = await Promise.all([first.ended, patient.ended]);

      expect(impatient.code, impatient.errors).toBe(4);
      const told = readObject(impatient);
      const [space] = told.spaces as { inFlight: number; stale: number }[];
      expect(told.end).toBe('held-elsewhere');
      expect(space).toMatchObject({ stale: 0 });
      expect(space?.inFlight).toBeGreaterThan(0);
      expect(impatient.errors).toContain(`${space?.inFlight} rows are held by another run and not finished.`);
      for (const end of [firstEnd, patientEnd]) {
        expect(end.code, end.errors).toBe(0);
        expect(readObject(end)).toMatchObject({ end: 'complete', spaces: [complete(300)] });
      }
      expect(held.purchases).toHaveLength(300);
    } finally {
      await held.close();
    }
  });

  it('names the deployed pipeline where that holds them, and what it may not take up', async () => {
    const beside = await openPipeline({ rows: 120 });
    try {
      const limited = await beside.run('--max-items', '100');
      await beside.query(`INSERT INTO freshet.leases (space_id, item_id, dispatch_id, lane, stage, expires_at)
        SELECT 1, id::text, gen_random_uuid(), 'fresh', 'queued', now() + interval '1 hour' FROM ai_items WHERE id <= 5`);
      await beside.query(`UPDATE ai_items SET title = title || ' edited', updated_at = now() WHERE id <= 5`);
      const waiting = await beside.run('--max-wait', '2s');

      expect(limited.code, limited.errors).toBe(5);
      expect(readObject(limited)).toMatchObject({ end: 'rows-left', embedded: 100, spaces: [{ stale: 20 }] });
      expect(limited.errors).toContain('20 rows are stale: the run may take up 100 (--max-items)');
      expect(waiting.code, waiting.errors).toBe(4);
      expect(waiting.errors).toContain('5 rows are held by the deployed pipeline and not finished.');
      expect(readObject(waiting)).toMatchObject({
        end: 'held-elsewhere',
        spaces: [{ inFlight: 5, stale: 0 }],
      });
    } finally {
      await beside.close();
    }
  });

  it('ends with 1 where detection fails every time, and says the code without a word of a row', async () => {
    const broken = await openPipeline({ rows: 10 });
    try {
      await broken.start('migrate').ended;
      await broken.query(`CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN RAISE EXCEPTION 'canary %', NEW.item_id; END $$`);
      await broken.query(
        'CREATE TRIGGER refuse BEFORE INSERT ON freshet.leases FOR EACH ROW EXECUTE FUNCTION refuse()',
      );

      const run = await broken.run();

      expect(run.code, run.errors).toBe(1);
      expect(readObject(run)).toMatchObject({ end: 'error', error: { code: 'sqlstate_P0001' } });
      expect(run.errors).toContain('sqlstate_P0001');
      expect(run.errors + run.output).not.toContain('canary');
    } finally {
      await broken.close();
    }
  });
});
