import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { findCacheFolder, findModelFolder } from '../../../lib/adapters/local/model-files.ts';

const COMMIT = '1110a243fdf4706b3f48f1d95db1a4f5529b4d41';
const WEIGHTS = 'the weights of a model';
const digestOf = (text: string) => createHash('sha256').update(text).digest('hex');

const asked: string[] = [];
let answerWith: { status: number; body: string; breaksOff?: boolean } = { status: 200, body: WEIGHTS };
const hub = createServer((request, response) => {
  asked.push(request.url ?? '');
  const { status, body, breaksOff } = answerWith;
  if (request.url?.includes('/resolve/')) response.writeHead(302, { location: '/elsewhere' }).end();
  else if (breaksOff) {
    response.writeHead(status, { 'content-length': body.length });
    response.write(body.slice(0, 5), () => response.destroy());
  } else response.writeHead(status).end(body);
});
let hubUrl = '';
beforeAll(async () => {
  await new Promise<void>(resolve => hub.listen(0, '127.0.0.1', resolve));
  hubUrl = `http://127.0.0.1:${(hub.address() as AddressInfo).port}`;
});
afterAll(() => hub.close());

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
  asked.length = 0;
  answerWith = { status: 200, body: WEIGHTS };
});

function makeCache(): string {
  const folder = mkdtempSync(join(tmpdir(), 'freshet-hub-'));
  folders.push(folder);
  return folder;
}

const model = {
  ...{ alias: 'minilm', modelId: 'owner/name', revision: COMMIT },
  files: { 'onnx/model.onnx': digestOf(WEIGHTS) },
};

describe('the files of a local model', () => {
  it('are downloaded once from the pinned commit, and kept', async () => {
    const source = { hubUrl, cacheFolder: makeCache(), directory: '/' };

    const folder = await findModelFolder(model, source);
    const again = await findModelFolder(model, { ...source, hubUrl: 'http://127.0.0.1:1' });

    expect(again).toBe(folder);
    expect(readFileSync(join(folder, 'onnx/model.onnx'), 'utf8')).toBe(WEIGHTS);
    expect(asked).toEqual([`/owner/name/resolve/${COMMIT}/onnx/model.onnx`, '/elsewhere']);
  });

  it.each([
    ['another file', { status: 200, body: 'other weights' }, /has SHA-256 [\da-f]{12}…, not [\da-f]{12}…/],
    ['a refusal', { status: 404, body: 'canary' }, /was refused with status 404/],
    ['half a file', { status: 200, body: WEIGHTS, breaksOff: true }, /could not be downloaded/],
  ])('are not kept where the hub gives %s', async (_, answer, message) => {
    answerWith = answer;
    const cacheFolder = makeCache();

    const failure = await findModelFolder(model, { hubUrl, cacheFolder, directory: '/' }).catch(
      error => error,
    );

    expect(failure).toMatchObject({ name: 'UsageError', message: expect.stringMatching(message) });
    expect(failure.message).toMatch(/The model minilm: onnx\/model\.onnx/);
    expect(failure.message).not.toContain('canary');
    expect(failure.remedy).toContain('modelFolder');
    expect(
      readdirSync(cacheFolder, { recursive: true }).filter(name => String(name).includes('.onnx')),
    ).toEqual([]);
  });

  it('are never downloaded into a folder that the configuration names', async () => {
    const directory = makeCache();
    const source = { hubUrl, cacheFolder: makeCache(), directory };

    await expect(findModelFolder({ ...model, modelFolder: 'model' }, source)).rejects.toThrow(
      `onnx/model.onnx is not in ${join(directory, 'model')}`,
    );
    expect(asked).toEqual([]);
    expect(existsSync(join(directory, 'model'))).toBe(false);
  });

  it('lie below the cache folder of the user', () => {
    const found = [{ XDG_CACHE_HOME: '/caches' }, { XDG_CACHE_HOME: 'relative' }, {}].map(findCacheFolder);

    expect(found[0]).toBe('/caches/freshet/models');
    expect(found[1]).toBe(found[2]);
    expect(found[2]).toMatch(/freshet.models$/);
  });
});
