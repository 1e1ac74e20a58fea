import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { type CliResult, makeFolder, readObject, runCli, startCli } from './run-cli.ts';

const { directory, remove } = makeFolder();
afterAll(remove);

const freshet = (...words: string[]) => runCli(directory, words);

async function rowsOf(statement: string): Promise<Record<string, unknown>[]> {
  return readObject(await freshet('sql', statement, '--json')).rows as Record<string, unknown>[];
}

const readOutcomeRows = () =>
  rowsOf('SELECT item_id, xmin::text, ctid::text FROM freshet.vectors_1 ORDER BY item_id');

async function makeAllStale(): Promise<void> {
  await rowsOf(`UPDATE ai_items SET summary = summary || '.', updated_at = now()`);
}

/** A run of all rows that takes long enough to be met in its middle; resolves once it moves. */
async function startSlowRun() {
  const slowly = ['--batch-size', '10', '--concurrency', '1', '--pause-ms', '200'];
  const running = startCli(directory, ['run', ...slowly, '--report-every', '1ms']);
  await running.errorsInclude('tokens');
  return running;
}

const complete = (eligible = 2000) => ({
  source: 'ai_items',
  model: 'static',
  eligible,
  fresh: eligible,
  stale: 0,
  inFlight: 0,
  failed: 0,
  excluded: 0,
  coveragePercent: 100,
});

function expectCode(result: CliResult, code: number): void {
  expect(result.code, result.errors).toBe(code);
}

/** One embedded database for the whole file: each test starts from where the one before left it. */
describe('npm start on the embedded database', () => {
  it('creates the sample, embeds it all and reports the run as one object', async () => {
    const result = await freshet('start', '--json');

    expectCode(result, 0);
    const run = readObject(result);
    expect(run).toMatchObject({ spaces: [complete()], touched: 0, excluded: 0, failed: 0, errorRate: 0 });
    expect(Number(run.embedded) + Number(run.copied)).toBe(2000);
    expect(run.providerCalls).toBeGreaterThan(0);
    expect(run.tokens).toBeGreaterThan(2000);
    expect(run.lastUpdate).not.toBeNull();
    expect(Object.keys(run)).toEqual([
      'end',
      'spaces',
      'embedded',
      'copied',
      'touched',
      'excluded',
      'failed',
      'tokens',
      'costUsd',
      'providerCalls',
      'lastUpdate',
      'averageMsPerItem',
      'errorRate',
      'durationMs',
    ]);
  });

  it('calls nobody and writes nothing at the second start', async () => {
    const before = await readOutcomeRows();

    const result = await freshet('start', '--json');

    expectCode(result, 0);
    expect(readObject(result)).toMatchObject({
      spaces: [complete()],
      embedded: 0,
      providerCalls: 0,
      tokens: 0,
    });
    expect(await readOutcomeRows()).toEqual(before);
  });

  it('reports for people: the equation, searches with hits and the line to change for a model that knows more', async () => {
    const result = await freshet('start');

    expectCode(result, 0);
    expect(result.output).toContain(
      '2,000 eligible = 2,000 fresh + 0 excluded + 0 failed + 0 in flight + 0 stale',
    );
    expect(result.output.match(/^search "/gm)).toHaveLength(3);
    for (const found of ['delight', 'thief', 'reimburse'])
      expect(result.output).toMatch(new RegExp(`^ {2}0\\.\\d{3} {2}${found} `, 'm'));
    expect(result.output.match(/^ {2}0\.\d{3} {2}\w+/gm)).toHaveLength(15);
    expect(result.output).toMatch(
      /model 'static' knows English words, not sentences\..*freshet\.config\.ts:13:/,
    );
    expect(result.output.trim().split('\n').at(-1)).toContain("model: 'ollama'");
  });

  it('gives the same spaces from status', async () => {
    const result = await freshet('status', '--json');

    expect(readObject(result)).toMatchObject({ spaces: [complete()], paused: [] });
  });

  it.each([
    ['with its time of update', 'updated_at = now()'],
    ['by an application that forgets the time of update', 'updated_at = updated_at'],
  ])('embeds exactly the one row that was edited %s', async (_how, alsoSet) => {
    await rowsOf(`UPDATE ai_items SET summary = summary || ' edited', ${alsoSet} WHERE id = 7`);

    const result = await freshet('run', '--json');

    expect(readObject(result)).toMatchObject({
      spaces: [complete()],
      embedded: 1,
      copied: 0,
      providerCalls: 1,
    });
  });

  it('touches a row whose text did not change, without a call', async () => {
    await rowsOf('UPDATE ai_items SET updated_at = now() WHERE id = 8');

    const result = await freshet('run', '--json');

    expect(readObject(result)).toMatchObject({
      spaces: [complete()],
      embedded: 0,
      touched: 1,
      providerCalls: 0,
    });
  });

  it('leaves out an empty row and does not look at it again', async () => {
    await rowsOf(
      `UPDATE ai_items SET title = ' ', summary = NULL, tags = '{}', updated_at = now() WHERE id = 9`,
    );

    const first = readObject(await freshet('run', '--json'));
    const second = readObject(await freshet('run', '--json'));

    const spaces = [{ ...complete(), fresh: 1999, excluded: 1 }];
    expect(first).toMatchObject({ spaces, excluded: 1, providerCalls: 0 });
    expect(second).toMatchObject({ spaces, excluded: 0, providerCalls: 0 });
  });

  it("finds a row first by the row's own text", async () => {
    const [row] = await rowsOf('SELECT title, summary, tags FROM ai_items WHERE id = 100');
    const text = [row?.title, row?.summary, ((row?.tags ?? []) as string[]).join(', ')].join('\n');

    const found = readObject(await freshet('search', text, '--limit', '3', '--json'));

    const hits = found.hits as { id: string; similarity: number }[];
    expect(hits).toHaveLength(3);
    expect(hits[0]?.id).toBe('100');
    expect(hits[0]?.similarity).toBeGreaterThan(0.999);
  });

  it('finds nothing to complain about', async () => {
    expect(await freshet('doctor')).toMatchObject({ code: 0 });
    expect(readObject(await freshet('failures', '--json'))).toEqual({ failures: [] });
    expect(readObject(await freshet('retry', '--json'))).toEqual({ retried: 0 });
    expect(readObject(await freshet('migrate', '--json'))).toMatchObject({ applied: [] });
  });

  it('keeps a second process from the files, answers its search, and completes after a SIGKILL midway', async () => {
    await makeAllStale();
    const running = await startSlowRun();

    const second = await freshet('migrate');
    const searching = await freshet('search', 'joy');
    running.child.kill('SIGKILL');
    await running.ended;
    const next = await freshet('run', '--json');

    expectCode(second, 1);
    expect(second.errors).toContain(String(running.child.pid));
    expectCode(searching, 0);
    expectCode(next, 0);
    expect(readObject(next)).toMatchObject({ spaces: [{ fresh: 1999, stale: 0, inFlight: 0, failed: 0 }] });
    expect(readObject(next).embedded).toBeLessThan(1999);
  });

  it('stops at SIGINT within 5 seconds with code 130; the next run goes on', async () => {
    await makeAllStale();
    const running = await startSlowRun();

    const askedAt = performance.now();
    running.child.kill('SIGINT');
    const stopped = await running.ended;

    expectCode(stopped, 130);
    expect(performance.now() - askedAt).toBeLessThan(6000);
    const next = await freshet('run', '--json');
    expect(readObject(next)).toMatchObject({ spaces: [{ fresh: 1999, stale: 0, inFlight: 0 }] });
  });

  it('stops after as many rows as --max-items says', async () => {
    await makeAllStale();

    const limited = await freshet('run', '--max-items', '150', '--json');
    const result = readObject(limited);

    expectCode(limited, 5);
    expect(result.end).toBe('rows-left');
    expect(Number(result.embedded) + Number(result.touched)).toBe(150);
    expectCode(await freshet('run'), 0);
  });

  it('writes metrics and logs beside the database, without a text of a row', async () => {
    const [row] = await rowsOf('SELECT summary FROM ai_items WHERE id = 100');

    const metrics = readFileSync(join(directory, '.freshet/metrics.jsonl'), 'utf8');
    const log = readFileSync(join(directory, '.freshet/log.jsonl'), 'utf8');

    expect(metrics).toContain('CloudWatchMetrics');
    expect(metrics + log).not.toContain(String(row?.summary));
  });
});
