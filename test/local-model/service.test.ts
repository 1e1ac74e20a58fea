import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, expect, test } from 'vitest';
import { openLocalProvider } from '../../lib/adapters/providers/local.ts';
import { createSystemClock } from '../../lib/adapters/system.ts';
import { parseConfig } from '../../lib/core/config/parse-config.ts';
import { describeRealModel, pythonProgram, runPython, runtimeFolder } from './real-model.ts';

const program = join(import.meta.dirname, '../../bin/freshet.ts');
const folder = mkdtempSync(join(tmpdir(), 'freshet-real-'));
const children: ChildProcess[] = [];
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const env = { PATH: process.env.PATH };
const source = { name: 'notes', table: 'notes', text: { columns: ['title'] } };

function configure(name: string, settings: object): string {
  const file = join(folder, `${name}.config.mjs`);
  writeFileSync(file, `export default ${JSON.stringify(settings)};\n`);
  return file;
}

const served = configure('served', {
  models: { minilm: describeRealModel() },
  sources: [{ ...source, model: ['minilm', 'hash'] }],
  // Warm texts are never computed twice: the cache would hide a server that embeds nothing.
  service: { limits: { cacheBytes: 0 } },
});

const hurried = configure('hurried', {
  models: { minilm: describeRealModel() },
  sources: [{ ...source, model: ['minilm'] }],
  service: { limits: { cacheBytes: 0, timeoutSeconds: 1 } },
});

/** Starts the service beside the package that runs models, and resolves once all models are warm. */
async function serve(port = 0, config = served) {
  const words = [program, 'serve', '--config', config, '--port', String(port), '--json'];
  const child = spawn(process.execPath, words, { cwd: runtimeFolder('native'), env });
  children.push(child);
  let log = '';
  child.stderr.on('data', chunk => {
    log += chunk.toString();
  });
  const ended = new Promise<number | null>(resolve => child.once('close', resolve));
  const first = await new Promise<string>((resolve, reject) => {
    child.stdout.once('data', chunk => resolve(chunk.toString()));
    child.once('close', () => reject(new Error(log)));
  });
  const { url } = JSON.parse(first) as { url: string };
  await expect.poll(async () => (await fetch(`${url}/ready`)).status, { timeout: 120_000 }).toBe(200);
  return { child, ended, url };
}

async function findFreePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise(resolve => server.close(resolve));
  return port;
}

/** Texts a second of the model by itself, in calls of as many rows as a run makes. */
async function measureModelAlone(): Promise<number> {
  const { models } = parseConfig({
    models: { minilm: describeRealModel() },
    sources: [{ ...source, model: 'minilm' }],
  });
  const places = { hubUrl: 'http://localhost', cacheFolder: folder, directory: folder };
  const runtimeFolders = [runtimeFolder('native')];
  const clock = createSystemClock();
  const provider = await openLocalProvider(models.minilm!, { ...places, runtimeFolders }, clock);
  const texts = Array.from({ length: 100 }, (_, place) => `note ${place} of the harbour`);
  const request = { texts, deadlineMs: 60_000 };
  await provider.embed(request);
  const startedMs = performance.now();
  for (let call = 0; call < 5; call += 1) await provider.embed(request);
  return (500 * 1000) / (performance.now() - startedMs);
}

test("Python's client of OpenAI gets vectors that know meaning, and refusals that it can read", async () => {
  const { url } = await serve();

  const texts = ['a dog', 'a canine animal', 'the price of a share'];
  const { models, vectors, floats, tokens, unknown, empty } = JSON.parse(
    runPython('openai-client.py', texts, [url, 'minilm']),
  );

  const similarity = (one: number[], other: number[]) =>
    one.reduce((sum, value, place) => sum + value * other[place]!, 0);
  expect(models.sort()).toEqual(['hash', 'minilm']);
  expect(vectors).toEqual(floats);
  expect(similarity(vectors[0], vectors[1])).toBeGreaterThan(similarity(vectors[0], vectors[2]) + 0.3);
  expect(tokens).toBe(16);
  expect(unknown).toEqual([400, 'model_not_found']);
  expect(empty).toEqual([400, 'invalid_request']);
});

test('schemathesis finds no answer of 500 or more, and none that the OpenAPI document does not describe', async () => {
  const { url } = await serve();

  const { status, stdout } = spawnSync(
    pythonProgram('schemathesis'),
    [
      ...['run', `${url}/openapi.json`, '--max-examples', '25', '--seed', '1', '--no-color'],
      ...['--checks', 'not_a_server_error,status_code_conformance,content_type_conformance'],
      ...['--checks', 'response_schema_conformance,response_headers_conformance'],
    ],
    { cwd: folder, env, encoding: 'utf8', timeout: 150_000 },
  );

  expect(stdout).toMatch(/\d+ generated/);
  expect(status, stdout).toBe(0);
});

test('a deadline in the middle of inference is answered with 504, and the service lives on', async () => {
  const { url, child } = await serve(0, hurried);
  const ask = async (texts: readonly string[]) => {
    const response = await fetch(`${url}/v1/embed`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ model: 'minilm', texts, truncate: true }),
    });
    const { error, vectors } = (await response.json()) as { error?: { code: string }; vectors?: number[][] };
    return [response.status, error?.code ?? vectors?.length];
  };
  const long = Array.from({ length: 256 }, (_, place) => `${place} ${'harbour '.repeat(400)}`);

  const startedMs = performance.now();
  expect(await ask(long)).toEqual([504, 'deadline']);
  // The deadline, not the end of the inference, which takes many times as long.
  expect(performance.now() - startedMs).toBeLessThan(8_000);

  await expect.poll(() => ask(['a dog']), { timeout: 60_000 }).toEqual([200, 1]);
  expect(child.exitCode).toBeNull();
  expect((await fetch(`${url}/health`)).status).toBe(200);
});

test('SIGINT in the middle of inference ends the service with its own code', async () => {
  const { child, ended, url } = await serve();
  const texts = Array.from({ length: 512 }, (_, place) => `${place} ${'harbour '.repeat(200)}`);

  const answer = fetch(`${url}/v1/embed`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ model: 'minilm', texts }),
  }).then(
    ({ status }) => status,
    () => 'cut off',
  );
  await new Promise(wake => setTimeout(wake, 1000));
  child.kill('SIGINT');

  expect(await ended).toBe(130);
  expect(await answer).not.toBe(200);
});

/** Longer than others: on a machine with other work the rows take minutes. */
test('a run of 2,000 rows loses nothing where the service is killed in its middle and started again', async () => {
  const port = await findFreePort();
  const first = await serve(port);
  const config = configure('run', {
    models: {
      remote: {
        ...{ provider: 'http', baseUrl: first.url, modelId: 'minilm', revision: '1', dimensions: 384 },
        maxTokensPerText: 256,
      },
    },
    sources: [{ ...source, model: 'remote' }],
  });
  const freshet = (...words: string[]) =>
    spawnSync(process.execPath, [program, ...words, '--config', config], {
      cwd: folder,
      env,
      encoding: 'utf8',
    });
  const rows =
    "CREATE TABLE notes (id bigint PRIMARY KEY, title text NOT NULL, updated_at timestamptz NOT NULL DEFAULT now()); INSERT INTO notes SELECT n, 'note ' || n || ' of the harbour' FROM generate_series(1, 2000) n";
  for (const sql of rows.split('; ')) {
    const { status, stderr } = freshet('sql', sql);
    expect(status, stderr).toBe(0);
  }

  const alone = await measureModelAlone();
  const startedMs = performance.now();
  const run = spawn(process.execPath, [program, 'run', '--config', config, '--json'], { cwd: folder, env });
  children.push(run);
  let output = '';
  let errors = '';
  run.stdout.on('data', chunk => {
    output += chunk.toString();
  });
  run.stderr.on('data', chunk => {
    errors += chunk.toString();
  });
  const ended = new Promise<number | null>(resolve => run.once('close', resolve));
  const endedMs = ended.then(() => performance.now());
  const readTexts = async () => {
    const metrics = await (await fetch(`${first.url}/metrics`)).text();
    return Number(/embed_batch_size_sum\{[^}]*minilm[^}]*\} (\d+)/.exec(metrics)?.[1] ?? 0);
  };
  await expect.poll(readTexts, { timeout: 120_000, interval: 50 }).toBeGreaterThan(300);
  expect(run.exitCode).toBeNull();
  const killedMs = performance.now();
  first.child.kill('SIGKILL');
  await first.ended;
  await serve(port);
  const awayMs = performance.now() - killedMs;

  expect(await ended, errors).toBe(0);
  const report = JSON.parse(output);
  const rate = (2000 * 1000) / ((await endedMs) - startedMs - awayMs);
  process.stdout.write(
    `a run of 2,000 rows through serve: ${rate.toFixed(0)} rows/s beside ${(awayMs / 1000).toFixed(1)} s without it; ` +
      `the model alone: ${alone.toFixed(0)} texts/s\n`,
  );
  expect(report.spaces[0]).toMatchObject({ eligible: 2000, fresh: 2000, coveragePercent: 100 });
}, 400_000);
