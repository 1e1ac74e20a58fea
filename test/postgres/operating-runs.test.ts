import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readObject } from '../bin/run-cli.ts';
import { complete, openPipeline, type Pipeline } from './open-pipeline.ts';

const ROWS = 600;

let pipeline: Pipeline;
let hold: Promise<void> | undefined;

beforeAll(async () => {
  pipeline = await openPipeline({
    rows: ROWS,
    limits: { batchSize: 10 },
    hold: () => hold,
  });
});
afterAll(() => pipeline.close());

function nextCall(): Promise<void> {
  const called = Promise.withResolvers<void>();
  pipeline.afterCalls(1, called.resolve);
  return called.promise;
}

/** No time is guessed. */
async function until(rows: number, statement: string): Promise<void> {
  while ((await pipeline.query(statement)).length < rows);
}

async function ask(...words: string[]): Promise<Record<string, unknown>> {
  const result = await pipeline.start(...words, '--json').ended;
  expect(result.code, result.errors).toBe(0);
  return readObject(result);
}

const liveLeases = () => pipeline.query('SELECT item_id FROM freshet.leases WHERE expires_at > now()');

describe('freshet stop from another process', () => {
  it('ends every run after the batch in hand, and the next run goes on', async () => {
    await pipeline.start('migrate').ended;
    const gate = Promise.withResolvers<void>();
    hold = gate.promise;
    const called = nextCall();
    const started = [pipeline.start('run', '--json'), pipeline.start('run', '--json')];
    await called;
    await until(
      2,
      `SELECT FROM pg_locks WHERE locktype = 'advisory' AND classid = 1179796562 AND granted
      AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`,
    );

    const stopping = pipeline.start('stop', '--json');
    await Promise.all(started.map(run => run.errorsInclude('the batch in hand ends')));
    hold = undefined;
    gate.resolve();
    const [stop, ...runs] = await Promise.all([stopping.ended, ...started.map(run => run.ended)]);

    expect(stop.code, stop.errors).toBe(0);
    expect(readObject(stop)).toEqual({ asked: 2, stopped: 2, stillRunning: 0 });
    for (const run of runs) {
      expect(run.code, run.errors).toBe(130);
      expect(run.errors).toContain('freshet stop');
    }
    expect(await liveLeases()).toEqual([]);
    expect(await pipeline.query(`SELECT FROM freshet.control`)).toEqual([]);
    const next = await pipeline.run('--max-wait', '10s');
    expect(next.code, next.errors).toBe(0);
    expect(await pipeline.status()).toMatchObject(complete(ROWS));
    expect(await pipeline.findWrongVectors()).toEqual([]);
  });

  it('says that none is in progress, and clears what runs that are gone were told', async () => {
    await pipeline.query(`INSERT INTO freshet.control (scope, reason) VALUES ('run:1', 'stop')`);

    expect(await ask('stop')).toEqual({ asked: 0, stopped: 0, stillRunning: 0 });
    expect(await pipeline.query(`SELECT FROM freshet.control`)).toEqual([]);
  });
});

describe('freshet nudge from another process', () => {
  it('makes a watching run look at once, and leaves nothing behind', async () => {
    const [{ began }] = (await pipeline.query('SELECT clock_timestamp()::text AS began')) as [
      { began: string },
    ];
    const watching = pipeline.start('run', '--watch', '--watch-interval', '1h', '--json');
    await until(1, `SELECT FROM freshet.positions WHERE last_pass_ended_at > '${began}'`);
    await pipeline.query(`UPDATE ai_items SET title = title || ' nudged', updated_at = now() WHERE id <= 3`);
    const stale = `SELECT FROM ai_items i JOIN freshet.vectors_1 v ON v.item_id = i.id
                    WHERE v.source_version IS NOT DISTINCT FROM i.updated_at`;
    expect(await pipeline.query(stale)).toHaveLength(ROWS - 3);

    expect(await ask('nudge')).toEqual({ runs: 1 });
    await until(ROWS, stale);
    while ((await pipeline.query(`SELECT FROM freshet.control`)).length > 0);
    await ask('stop');

    expect((await watching.ended).code).toBe(130);
    expect(await ask('nudge')).toEqual({ runs: 0 });
  });
});

describe('freshet pause from another process', () => {
  it('ends a run with the words of the operator, frees its rows, and resume lets the next one go on', async () => {
    await pipeline.query(`UPDATE ai_items SET title = title || ' paused', updated_at = now()`);
    const called = nextCall();
    const gate = Promise.withResolvers<void>();
    hold = gate.promise;
    const running = pipeline.start('run', '--json', '--concurrency', '1');
    await called;

    expect(await ask('pause', '--source', 'ai_items', '--reason', 'OPS-1')).toMatchObject({ changed: true });
    hold = undefined;
    gate.resolve();
    const run = await running.ended;

    expect(run.code, run.errors).toBe(1);
    expect(readObject(run)).toMatchObject({
      error: { code: 'operator', message: 'source:ai_items is paused (operator): OPS-1.' },
    });
    expect(Number(readObject(run).embedded)).toBeLessThan(ROWS);
    expect(await liveLeases()).toEqual([]);
    expect(await ask('resume', '--source', 'ai_items')).toMatchObject({ changed: true, paused: [] });
    expect((await pipeline.run('--max-wait', '10s')).code).toBe(0);
    expect(await pipeline.findWrongVectors()).toEqual([]);
  });

  it('makes a watching run wait, and resume makes it work again', async () => {
    const watching = pipeline.start('run', '--watch', '--watch-interval', '100ms', '--json');
    await watching.errorsInclude('covered');
    await ask('pause', '--model', 'served');
    await watching.errorsInclude('model:served is paused (operator)');
    const before = pipeline.purchases.length;
    await pipeline.query(
      `UPDATE ai_items SET title = 'edited while paused', updated_at = now() WHERE id = 7`,
    );
    expect(pipeline.purchases.length).toBe(before);

    const called = nextCall();
    await ask('resume', '--model', 'served');
    await called;
    await ask('stop');
    const { code, errors } = await watching.ended;

    expect(code, errors).toBe(130);
    expect(
      pipeline.purchases.slice(before).filter(text => text.includes('edited while paused')),
    ).toHaveLength(1);
  });
});

describe('freshet reset', () => {
  it('makes every row stale beside a run that works on the table, and the rows are bought again', async () => {
    const { spaces } = await ask('reset', '--all');
    expect(spaces).toMatchObject([{ rows: ROWS }]);

    const before = pipeline.purchases.length;
    expect(await ask('reset', '--older-than', '2001-01-01', '--apply', '--yes')).toMatchObject({ rows: 0 });
    expect(await ask('reset', '--source', 'ai_items', '--apply', '--yes')).toMatchObject({ rows: ROWS });
    expect(await pipeline.status()).toMatchObject({ fresh: 0, stale: ROWS });
    const run = await pipeline.run();

    expect(run.code, run.errors).toBe(0);
    expect(pipeline.purchases.length - before).toBe((spaces as { texts: number }[])[0]?.texts);
    expect(await pipeline.findWrongVectors()).toEqual([]);
  });
});
