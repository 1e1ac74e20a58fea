import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type Behaviour,
  type LoopbackServer,
  startLoopbackOpenAiServer,
} from '../doubles/loopback-openai-server.ts';
import { makeFolder, readObject, runCli } from './run-cli.ts';

const ROWS = 120;
const { directory, remove } = makeFolder();
let server: LoopbackServer;
/** What the server does next; each test sets it. */
let behave: (texts: readonly string[]) => Behaviour = () => ({ kind: 'embed' });

const freshet = (...words: string[]) => runCli(directory, words, { OPENAI_API_KEY: 'sk-canary-key' });
const makeAllStale = () =>
  freshet('sql', `UPDATE notes SET body = body || '.', changed = clock_timestamp()`, '--json');

function writeConfig(name: string, dimensions: number): void {
  writeFileSync(
    join(directory, name),
    `export default {
      models: { mine: { provider: 'openai', modelId: 'm', dimensions: ${dimensions}, baseUrl: '${server.baseUrl}' } },
      sources: [{ name: 'notes', table: 'notes', updatedAt: 'changed', text: { columns: ['body'] }, model: 'mine' }],
    };`,
  );
}

beforeAll(async () => {
  server = await startLoopbackOpenAiServer({ dimensions: 8, behave: call => behave(call.texts) });
  writeConfig('freshet.config.ts', 8);
  const created = await freshet(
    'sql',
    `CREATE TABLE notes (id text PRIMARY KEY, body text, changed timestamptz NOT NULL DEFAULT now());
     INSERT INTO notes SELECT 'n' || i, 'canary text ' || i FROM generate_series(1, ${ROWS}) i`,
  );
  expect(created.code, created.errors).toBe(0);
});
afterAll(async () => {
  await server.close();
  remove();
});

/** One embedded database for the whole file: each test starts from where the one before left it. */
describe('a run against a provider', () => {
  it('refuses dimensions that the provider does not have, with the line to change, and stores nothing', async () => {
    writeConfig('wrong.ts', 16);

    const result = await freshet('run', '--config', 'wrong.ts', '--json');

    expect(result.code, result.errors).toBe(2);
    expect(result.errors).toContain("Set the model's dimensions to 8");
    expect(result.errors).toContain('in wrong.ts');
    expect(readObject(result)).toMatchObject({ embedded: 0, spaces: [{ fresh: 0, failed: 0, stale: ROWS }] });
  });

  it('ends with code 3 when a text is refused, embeds its neighbours and logs ids and codes, no text', async () => {
    behave = texts =>
      texts.some(text => text.endsWith(' 7'))
        ? {
            kind: 'status',
            status: 400,
            body: { error: { message: 'canary text 7', type: 'invalid_request_error' } },
          }
        : { kind: 'embed' };

    const result = await freshet('run', '--failure-log', 'failed.jsonl', '--json');

    expect(result.code, result.errors).toBe(3);
    expect(readObject(result)).toMatchObject({
      embedded: ROWS - 1,
      failed: 1,
      spaces: [{ fresh: ROWS - 1, failed: 1, stale: 0, inFlight: 0 }],
    });
    const log = readFileSync(join(directory, 'failed.jsonl'), 'utf8');
    expect(JSON.parse(log)).toMatchObject({ source: 'notes', id: 'n7', class: 'item' });
    expect(log + result.errors).not.toContain('canary');
  });

  it('lists the failure with its advice, and retries it', async () => {
    const failures = readObject(await freshet('failures', '--json')).failures as Record<string, unknown>[];
    behave = () => ({ kind: 'embed' });
    const retried = readObject(await freshet('retry', '--class', String(failures[0]?.code), '--json'));
    const run = await freshet('run', '--json');

    expect(failures).toMatchObject([{ source: 'notes', failureClass: 'item', rows: 1, exampleIds: ['n7'] }]);
    expect(failures[0]?.advice).toBeTypeOf('string');
    expect(retried).toEqual({ retried: 1 });
    expect(run.code, run.errors).toBe(0);
    expect(readObject(run)).toMatchObject({ embedded: 1, spaces: [{ fresh: ROWS, failed: 0 }] });
  });

  it('ends with code 1 and the reason when the key is refused; the next run lifts the pause and goes on', async () => {
    await makeAllStale();
    behave = () => ({ kind: 'status', status: 401, body: { error: { code: 'invalid_api_key' } } });
    const refused = await freshet('run', '--json');
    const status = readObject(await freshet('status', '--json'));
    behave = () => ({ kind: 'embed' });
    const next = await freshet('run', '--json');

    expect(refused.code, refused.errors).toBe(1);
    expect(refused.errors + refused.output).not.toContain('canary');
    expect(readObject(refused)).toMatchObject({
      embedded: 0,
      failed: 0,
      error: { code: expect.any(String) },
    });
    expect(status).toMatchObject({ paused: [{ scope: 'model:mine' }], spaces: [{ failed: 0 }] });
    expect(next.code, next.errors).toBe(0);
    expect(next.errors).toContain('Resumed: model:mine');
    expect(readObject(next)).toMatchObject({ embedded: ROWS, spaces: [{ fresh: ROWS, failed: 0 }] });
  });

  it('gives up within --max-wait when the provider throttles for ever; no row counts as failed', async () => {
    await makeAllStale();
    behave = () => ({ kind: 'status', status: 429, headers: { 'retry-after': '1' }, body: { error: {} } });
    const throttled = await freshet('run', '--max-wait', '3s', '--json');
    behave = () => ({ kind: 'embed' });
    const next = await freshet('run', '--json');

    expect(throttled.code, throttled.errors).toBe(1);
    expect(throttled.errors).toContain('Waiting: ');
    expect(readObject(throttled)).toMatchObject({
      failed: 0,
      spaces: [{ failed: 0, inFlight: 0, stale: ROWS }],
    });
    expect(next.code, next.errors).toBe(0);
    expect(readObject(next)).toMatchObject({ embedded: ROWS, spaces: [{ fresh: ROWS, failed: 0 }] });
  });

  it('loads its modules as Node compiled them: no flag of V8 has changed before', async () => {
    const environment = { OPENAI_API_KEY: 'sk-canary-key', NODE_DEBUG_NATIVE: 'CODE_CACHE' };
    await makeAllStale();

    const { code, errors } = await runCli(directory, ['run', '--max-items', '1'], environment);

    expect(code).not.toBe(2);
    expect(errors).toMatch(/Code cache of internal\/deps\/undici\/undici .* is accepted/);
    expect(errors.split('\n').filter(line => line.endsWith('is rejected'))).toEqual([]);
  });
});
