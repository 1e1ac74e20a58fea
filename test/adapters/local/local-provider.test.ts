import { spawn } from 'node:child_process';
import { appendFileSync, existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { openLocalProvider } from '../../../lib/adapters/providers/local.ts';
import { createSystemClock } from '../../../lib/adapters/system.ts';
import type { ModelDefinition } from '../../../lib/core/model.ts';
import { makeModel } from '../../factories/model-definition.ts';
import { makeOnnxModel, type OnnxModel } from '../../factories/onnx-model.ts';

const clock = createSystemClock();
const isLinux = process.platform === 'linux';
const models: OnnxModel[] = [];
afterEach(() => {
  for (const model of models.splice(0)) model.remove();
});

async function open(changes: Partial<ModelDefinition> = {}, made = makeOnnxModel(), time = clock) {
  models.push(made);
  const { folder, files, runtimeFolder } = made;
  const model = makeModel({
    ...{ provider: 'local', dimensions: 4, maxTokensPerText: 8, modelFolder: folder, files },
    ...changes,
  });
  const places = { hubUrl: '', cacheFolder: '', directory: '/', runtimeFolders: [runtimeFolder] };
  const provider = await openLocalProvider(model, places, time);
  const embed = async (
    texts: readonly string[],
    options: { deadlineMs?: number; signal?: AbortSignal } = {},
  ) => {
    const { items, tokens } = await provider.embed({ texts, deadlineMs: 60_000, ...options });
    const vectors = [...items]
      .sort((one, other) => one.index - other.index)
      .map(({ bytes }) => [
        ...new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length)),
      ]);
    return { vectors, tokens };
  };
  return { ...made, provider, embed };
}

/** As the runtime of the tests says: the mean of the tokens' vectors, of length 1. */
function expectedOf(...ids: readonly number[]): readonly number[] {
  const mean = [0, 1, 2, 3].map(
    power => ids.reduce((sum, id) => sum + ((id - 1) / 10) ** power, 0) / ids.length,
  );
  const norm = Math.hypot(...mean);
  return mean.map(value => expect.closeTo(value / norm, 5));
}

describe('the local provider', () => {
  it('gives the mean of the tokens of each text, whatever lies beside it and in which order', async () => {
    const { embed } = await open();

    const { vectors, tokens } = await embed(['a boat a sea', 'harbour', 'a boat']);

    expect(vectors).toEqual([expectedOf(2, 4, 5, 4, 7, 3), expectedOf(2, 6, 3), expectedOf(2, 4, 5, 3)]);
    expect(tokens).toBe(13);
  });

  it('gives the vector of the first token where the weights are made so, and leaves lengths alone', async () => {
    const { embed } = await open({ pooling: 'cls', normalized: false });

    expect((await embed(['a boat'])).vectors).toEqual([
      [1, 0.1, 0.01, 0.001].map(value => expect.closeTo(value, 6)),
    ]);
  });

  it('cuts a text at its limit, keeps the last token, and pads to the longest text of a slice alone', async () => {
    const { embed, calls } = await open();

    await embed(['sea '.repeat(50), 'a']);

    expect(calls()).toEqual([{ dims: [2, 8], ids: [2, 4, 3, 0, 0, 0, 0, 0, 2, 7, 7, 7, 7, 7, 7, 3] }]);
  });

  it('takes texts of equal length together, 64 at most, and as many as have 512 tokens', async () => {
    const { embed, calls } = await open({ maxTokensPerText: 512 });
    const texts = Array.from({ length: 88 }, (_, place) => 'sea '.repeat(place % 8 === 0 ? 60 : 1));

    await embed(texts);

    expect(calls().map(({ dims }) => dims)).toEqual([
      [64, 3],
      [13, 3],
      [8, 62],
      [3, 62],
    ]);
  });

  it('fails a call whose process ends in the middle, and embeds the next one in another process', async () => {
    const { embed } = await open();

    await expect(embed(['a crash'])).rejects.toMatchObject({
      failureClass: 'transient',
      code: 'inference_crashed',
    });
    expect((await embed(['harbour'])).vectors).toEqual([expectedOf(2, 6, 3)]);
  });

  it('says nothing of a text where the runtime fails with it', async () => {
    const { embed } = await open();

    const failure = await embed(['a fail']).catch((error: Error) => error);

    expect(failure).toMatchObject({ failureClass: 'transient', code: 'inference_failed' });
    expect(JSON.stringify([failure, (failure as Error).message])).not.toContain('canary');
    expect((await embed(['harbour'])).vectors).toHaveLength(1);
  });

  it('answers a deadline and a client who leaves in the middle of inference, and computes no further slice', async () => {
    const { embed, calls } = await open({ maxTokensPerText: 512 });
    await embed(['a']);
    const texts = Array.from({ length: 65 }, () => 'slow');
    const leaving = new AbortController();

    const late = embed(texts, { deadlineMs: 50 });
    await expect(late).rejects.toMatchObject({ failureClass: 'transient', code: 'timeout' });
    const left = embed(texts, { signal: leaving.signal });
    leaving.abort();
    await expect(left).rejects.toMatchObject({ code: 'aborted' });
    await embed(['a']);

    expect(calls().filter(({ ids }) => ids.includes(10)).length).toBeLessThanOrEqual(2);
  });

  it('ends a process that hangs for a whole deadline', async () => {
    const before = isLinux ? await findInference(process.pid) : [];
    const { embed } = await open();
    await embed(['a']);
    const started = isLinux ? await findInference(process.pid) : [];
    const hanging = started.filter(pid => !before.includes(pid));

    await expect(embed(['hang'], { deadlineMs: 300 })).rejects.toMatchObject({ code: 'timeout' });

    expect((await embed(['harbour'])).vectors).toEqual([expectedOf(2, 6, 3)]);
    expect(hanging).toHaveLength(isLinux ? 1 : 0);
    await expect.poll(() => hanging.filter(pid => existsSync(`/proc/${pid}/exe`))).toEqual([]);
  });

  it('ends a process that hangs also where the deadline comes a moment early, as timers do', async () => {
    const early = { ...clock, sleep: (ms: number, signal?: AbortSignal) => clock.sleep(ms - 20, signal) };
    const { embed } = await open({}, makeOnnxModel(), early);
    await embed(['a']);

    await expect(embed(['hang'], { deadlineMs: 300 })).rejects.toMatchObject({ code: 'timeout' });

    expect((await embed(['harbour'], { deadlineMs: 20_000 })).vectors).toEqual([expectedOf(2, 6, 3)]);
  });

  it.skipIf(!isLinux)('gives the process of the model no secret', async () => {
    const before = await findInference(process.pid);
    vi.stubEnv('FRESHET_HTTP_TOKEN', 'a-secret-of-the-service');
    const { embed } = await open();
    await embed(['a']);
    vi.unstubAllEnvs();

    const started = (await findInference(process.pid)).filter(pid => !before.includes(pid));
    const variables = started.map(pid => readFileSync(`/proc/${pid}/environ`, 'utf8'));

    expect(variables).toHaveLength(1);
    expect(variables[0]).toContain('PATH=');
    expect(variables[0]).not.toContain('a-secret-of-the-service');
  });

  it('refuses a file that is another one than the configuration says', async () => {
    const { embed, folder } = await open();
    appendFileSync(join(folder, 'model.onnx'), 'x');

    await expect(embed(['a'])).rejects.toMatchObject({
      ...{ failureClass: 'stop', code: 'model_file' },
      message: expect.stringMatching(
        /model\.onnx is not the file that the configuration names \(SHA-256 .*not/,
      ),
    });
  });

  it('refuses weights that cannot be loaded', async () => {
    const { embed } = await open({}, makeOnnxModel('no model'));

    await expect(embed(['a'])).rejects.toMatchObject({ failureClass: 'stop', code: 'model_unusable' });
  });

  it('says which line to type where nothing runs such models', async () => {
    const made = makeOnnxModel();
    models.push(made);
    const model = makeModel({ provider: 'local', modelFolder: made.folder, files: made.files });
    const places = { hubUrl: '', cacheFolder: '', directory: '/', runtimeFolders: [made.folder.slice(0, 5)] };

    await expect(openLocalProvider(model, places, clock)).rejects.toMatchObject({
      message: expect.stringContaining('onnxruntime-web@1.30.0 installs everywhere'),
      remedy: 'ONNXRUNTIME_NODE_INSTALL=skip npm install --save-exact onnxruntime-node@1.30.0',
    });
  });
});

/** Embeds in a process of its own, which ends by itself once it has no more to do. */
const SCRIPT = `
  const { openLocalProvider } = await import('./lib/adapters/providers/local.ts');
  const { createSystemClock } = await import('./lib/adapters/system.ts');
  const { model, places, texts } = JSON.parse(process.argv[1]);
  const provider = await openLocalProvider(model, places, createSystemClock());
  process.on('SIGINT', () => process.exit(7));
  await provider.embed({ texts: ['a'], deadlineMs: 60_000 });
  console.log('embedded');
  await provider.embed({ texts, deadlineMs: 60_000 });
`;

function embedElsewhere(made: OnnxModel, texts: readonly string[]) {
  const { folder, files, runtimeFolder } = made;
  const model = makeModel({ provider: 'local', dimensions: 4, modelFolder: folder, files });
  const places = { hubUrl: '', cacheFolder: '', directory: '/', runtimeFolders: [runtimeFolder] };
  const child = spawn(
    process.execPath,
    ['--input-type=module', '--eval', SCRIPT, JSON.stringify({ model, places, texts })],
    { stdio: ['ignore', 'pipe', 'inherit'], env: { PATH: process.env.PATH } },
  );
  const embedded = new Promise(resolve => child.stdout.once('data', resolve));
  const ended = new Promise(resolve => child.once('close', (code, signal) => resolve(code ?? signal)));
  return { child, embedded, ended };
}

/** The processes that a process started and that still run. */
async function findInference(parent: number): Promise<readonly string[]> {
  return readdirSync('/proc').filter(name => {
    if (!/^\d+$/.test(name) || !existsSync(`/proc/${name}/stat`)) return false;
    try {
      return readFileSync(`/proc/${name}/stat`, 'utf8').split(') ')[1]?.split(' ')[1] === String(parent);
    } catch {
      return false;
    }
  });
}

describe('the process that a local model was started from', () => {
  it('ends by itself, however long the process of the model would live', async () => {
    const made = makeOnnxModel();
    models.push(made);

    expect(await embedElsewhere(made, ['a boat']).ended).toBe(0);
  });

  it('ends with its own code at SIGINT in the middle of inference, and the process of the model with it', async () => {
    const made = makeOnnxModel();
    models.push(made);
    const { child, embedded, ended } = embedElsewhere(made, ['slow', 'a']);
    await embedded;
    const started = isLinux ? await findInference(child.pid!) : [];
    while (!made.calls().some(({ ids }) => ids.includes(10))) await new Promise(wake => setTimeout(wake, 5));
    child.kill('SIGINT');

    expect(await ended).toBe(7);
    await expect.poll(() => started.filter(pid => existsSync(`/proc/${pid}/exe`))).toEqual([]);
  });
});
