import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type CliResult, readObject } from '../bin/run-cli.ts';
import { type Behaviour, startLoopbackOpenAiServer } from '../doubles/loopback-openai-server.ts';
import { complete, openPipeline, type Pipeline } from './open-pipeline.ts';

const ROWS = 300;
/** A run that asked such a provider beyond its patience would not end within the test's time. */
const PATIENCE = '5s';

let pipeline: Pipeline;
let round = 0;

beforeAll(async () => {
  pipeline = await openPipeline({ rows: ROWS, limits: { batchSize: 50 } });
});
afterAll(() => pipeline.close());
beforeEach(async () => {
  round += 1;
  await pipeline.query('UPDATE ai_items SET title = title || $1, updated_at = now()', [` ${round}`]);
});

async function expectGivenUp(ended: Promise<CliResult>, reason: RegExp): Promise<void> {
  const result = await ended;
  expect(result.code, result.errors).toBe(1);
  expect(readObject(result)).toMatchObject({ failed: 0, error: { message: expect.stringMatching(reason) } });
  expect(await pipeline.query('SELECT * FROM freshet.failures')).toEqual([]);
  expect(await pipeline.query(`SELECT * FROM freshet.vectors_1 WHERE outcome <> 'embedded'`)).toEqual([]);
  expect(await pipeline.status()).toMatchObject({ fresh: 0, failed: 0 });
}

async function expectCompleted(): Promise<void> {
  pipeline.behaveAs(() => ({ kind: 'embed' }));
  const before = pipeline.purchases.length;
  const next = await pipeline.run('--max-wait', '60s');
  expect(next.code, next.errors).toBe(0);
  expect(pipeline.purchases.length - before).toBe(ROWS);
  expect(await pipeline.status()).toMatchObject(complete(ROWS));
  expect(await pipeline.findWrongVectors()).toEqual([]);
}

const refusals: [string, RegExp, Behaviour][] = [
  [
    'refuses the key',
    /unauthorized/,
    { kind: 'status', status: 401, body: { error: { code: 'invalid_api_key', message: 'no' } } },
  ],
  ['answers 429 for ever', /rate_limit/, { kind: 'status', status: 429 }],
  [
    'answers 429 for ever and asks for seconds',
    /rate_limit/,
    { kind: 'status', status: 429, headers: { 'retry-after': '2' } },
  ],
  [
    'answers 429 and asks for an hour',
    /rate_limit/,
    { kind: 'status', status: 429, headers: { 'retry-after': '3600' } },
  ],
  ['answers 503 for ever', /503|provider/i, { kind: 'status', status: 503 }],
];

describe('a run whose provider', () => {
  it('cannot be reached says so within its patience, loses nothing, and the next one completes', async () => {
    const gone = await startLoopbackOpenAiServer();
    await gone.close();

    await expectGivenUp(
      pipeline.startAt(gone.baseUrl, 'run', '--json', '--max-wait', PATIENCE).ended,
      /econnrefused/,
    );
    await expectCompleted();
  });

  it.each(refusals)(
    '%s says so within its patience, loses nothing, and the next one completes',
    async (_, reason, behaviour) => {
      pipeline.behaveAs(() => behaviour);

      await expectGivenUp(pipeline.run('--max-wait', PATIENCE), reason);
      await expectCompleted();
    },
  );

  it('throttles for a while is waited for', async () => {
    let refusalsLeft = 20;
    pipeline.behaveAs(() => {
      refusalsLeft -= 1;
      return refusalsLeft < 0
        ? { kind: 'embed' }
        : { kind: 'status', status: 429, headers: { 'retry-after': '1' } };
    });

    const result = await pipeline.run('--max-wait', '30s');

    expect(result.code, result.errors).toBe(0);
    expect(readObject(result)).toMatchObject({ failed: 0, embedded: ROWS });
    expect(await pipeline.status()).toMatchObject(complete(ROWS));
  });
});
