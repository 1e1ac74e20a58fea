import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { askThroughFolder, watchRequestFolder } from '../../../lib/adapters/system/request-folder.ts';
import { createSystemClock } from '../../../lib/adapters/system/system-clock.ts';

const clock = createSystemClock();
const patient = { timeoutMs: 20_000, clock, isWatched: async () => true };

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'freshet-requests-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function watch(answer: (request: unknown) => Promise<object>): () => Promise<void> {
  const stop = new AbortController();
  const watching = watchRequestFolder(folder, answer, { clock, signal: stop.signal });
  return async () => {
    stop.abort();
    await watching;
  };
}

describe('a folder of requests', () => {
  test('brings each request to the watcher once and its own answer back', async () => {
    const seen: unknown[] = [];
    const close = watch(async request => {
      seen.push(request);
      return { echo: request };
    });

    const answers = await Promise.all(
      ['a', 'b', 'c'].map(request => askThroughFolder(folder, request, patient)),
    );
    await close();

    expect(answers).toEqual([{ echo: 'a' }, { echo: 'b' }, { echo: 'c' }]);
    expect(seen.toSorted()).toEqual(['a', 'b', 'c']);
    expect(readdirSync(folder)).toEqual([]);
  });

  test('tells that nobody answered and takes the request back', async () => {
    const silent = await askThroughFolder(folder, 'a', { ...patient, timeoutMs: 1 });
    const gone = await askThroughFolder(folder, 'a', { ...patient, isWatched: async () => false });

    expect([silent, gone]).toEqual([undefined, undefined]);
    expect(readdirSync(folder)).toEqual([]);
  });

  test('sweeps out what a process left that was killed while it asked, and what is no request', async () => {
    const old = { askedAtMs: Date.now() - 60_000, request: 'old' };
    writeFileSync(join(folder, 'old.request.json'), JSON.stringify(old));
    writeFileSync(join(folder, 'torn.request.json'), '{"asked');
    const seen: unknown[] = [];
    const close = watch(async request => {
      seen.push(request);
      return {};
    });

    await askThroughFolder(folder, 'new', patient);
    await close();

    expect(seen).toEqual(['new']);
    expect(readdirSync(folder)).toEqual([]);
  });

  test('may not be there yet', async () => {
    rmSync(folder, { recursive: true });
    const close = watch(async () => ({ ok: true }));

    expect(await askThroughFolder(folder, 'a', patient)).toEqual({ ok: true });
    await close();
  });
});
