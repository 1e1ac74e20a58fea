import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type Behaviour,
  type LoopbackServer,
  startLoopbackOpenAiServer,
} from '../doubles/loopback-openai-server.ts';
import { vectorForText } from '../doubles/vector-for-text.ts';
import { makeFolder, readObject, runCli } from './run-cli.ts';

const { directory, remove } = makeFolder();
let server: LoopbackServer;
let behaviour: Behaviour = { kind: 'embed' };
const embed: Behaviour = { kind: 'embed' };
const otherWeights: Behaviour = {
  kind: 'vectors',
  vector: text => vectorForText(`other ${text}`, 8),
};

const freshet = (...words: string[]) => runCli(directory, words, { OPENAI_API_KEY: 'sk-canary-key' });

function writeConfig(name: string, changes: object = {}): void {
  const model = {
    ...{ provider: 'openai', modelId: 'm', dimensions: 8, maxTokensPerText: 64 },
    ...{ baseUrl: server.baseUrl, ...changes },
  };
  const source = { name: 'notes', table: 'notes', text: { columns: ['body'] }, model: 'mine' };
  writeFileSync(
    join(directory, name),
    `export default ${JSON.stringify({ models: { mine: model }, sources: [source] })};`,
  );
}

beforeAll(async () => {
  server = await startLoopbackOpenAiServer({ dimensions: 8, behave: () => behaviour });
  writeConfig('freshet.config.ts');
});
afterAll(async () => {
  await server.close();
  remove();
});

describe('models', () => {
  it('lists what a source can name, without a database', async () => {
    const { models } = readObject(await freshet('models', '--json')) as { models: Record<string, unknown>[] };
    const table = await freshet('models');

    expect(models[0]).toMatchObject({ alias: 'mine', origin: 'configured', sources: ['notes'] });
    expect(models.find(({ alias }) => alias === 'bge-m3')).toMatchObject({
      provider: null,
      dimensions: 1024,
      maxTokensPerText: 8192,
    });
    expect(table.output).toMatch(/^multilingual-e5-base +\(no place\) +intfloat\/multilingual-e5-base/m);
  });
});

/** One embedded database: each test starts from where the one before left it. */
describe('models check', () => {
  it('records the vectors, then finds that they agree', async () => {
    const first = await freshet('models', 'check', '--json');
    const second = await freshet('models', 'check', '--json');

    expect(first.code, first.errors).toBe(0);
    expect(readObject(first)).toMatchObject({ ok: true, models: [{ alias: 'mine', golden: 'recorded' }] });
    expect(readObject(second)).toMatchObject({ ok: true, models: [{ golden: 'compared', calls: 1 }] });
  });

  it('ends with code 2 and the line to change where the dimensions are wrong', async () => {
    writeConfig('wrong.ts', { dimensions: 16 });

    const result = await freshet('models', 'check', '--config', 'wrong.ts');

    expect(result.code).toBe(2);
    expect(result.output).toContain("Set the model's dimensions to 8");
    expect(result.output).toContain('The line is models.mine.dimensions, in wrong.ts.');
  });

  it('ends with code 2 where other weights answer, unless the check is switched off', async () => {
    behaviour = otherWeights;
    writeConfig('off.ts', { check: 'off' });

    const result = await freshet('models', 'check');
    const off = await freshet('models', 'check', '--config', 'off.ts');

    expect(result.code).toBe(2);
    expect(result.output).toContain('The model no longer gives the vectors that were recorded');
    expect(result.output).toContain("models.mine.check: 'off' if you know better, in freshet.config.ts");
    expect(off.code, off.errors).toBe(0);
  });

  it('ends with code 1 where the provider is down, and repeats nothing that it said', async () => {
    behaviour = { kind: 'echo', status: 503 };

    const result = await freshet('models', 'check');

    expect(result.code).toBe(1);
    expect(result.output).toContain('http_503');
    expect(result.output + result.errors).not.toMatch(/harbour|sk-canary/);
  });
});

describe('a run', () => {
  it('refuses other weights before it buys anything, a day after they agreed', async () => {
    behaviour = embed;
    await freshet(
      'sql',
      `CREATE TABLE notes (id int PRIMARY KEY, body text, updated_at timestamptz NOT NULL DEFAULT now());
       INSERT INTO notes SELECT i, 'text ' || i FROM generate_series(1, 20) i;
       UPDATE freshet.golden_vectors SET agreed_at = now() - interval '25 hours'`,
    );
    behaviour = otherWeights;
    const refused = await freshet('run', '--json');
    behaviour = embed;
    const callsBefore = server.callCount;
    const run = await freshet('run', '--json');
    const callsOfRun = server.callCount - callsBefore;
    await freshet('sql', `UPDATE freshet.golden_vectors SET agreed_at = now() - interval '25 hours'`);
    const again = await freshet('run', '--json');

    expect(refused.code).toBe(2);
    expect(refused.errors).toContain('Model "mine": The model no longer gives the vectors');
    expect(run.code, run.errors).toBe(0);
    expect(readObject(run)).toMatchObject({ embedded: 20, providerCalls: 1 });
    expect(callsOfRun).toBe(2);
    expect(again.code).toBe(0);
    expect(server.callCount - callsBefore).toBe(callsOfRun);
  });
});
