import { chmodSync, mkdtempSync, readdirSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { askThroughFolder, watchRequestFolder } from '../../../lib/adapters/request-folder.ts';
import { createSystemClock } from '../../../lib/adapters/system.ts';

const clock = createSystemClock();
const patient = { pickupTimeoutMs: 20_000, answerTimeoutMs: 20_000, clock, isWatched: async () => true };
const answered = (answer: object) => ({ state: 'answered', answer });

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

    expect(answers).toEqual(['a', 'b', 'c'].map(echo => answered({ echo })));
    expect(seen.toSorted()).toEqual(['a', 'b', 'c']);
    expect(readdirSync(folder)).toEqual([]);
  });

  test('tells that nobody answered and takes the request back', async () => {
    const interrupted = AbortSignal.abort();
    const replies = [
      await askThroughFolder(folder, 'a', { ...patient, pickupTimeoutMs: 1 }),
      await askThroughFolder(folder, 'a', { ...patient, isWatched: async () => false }),
      await askThroughFolder(folder, 'a', { ...patient, signal: interrupted }),
    ];

    expect(replies).toEqual(Array(3).fill({ state: 'untaken' }));
    expect(readdirSync(folder)).toEqual([]);
  });

  test('tells a request that was taken up and not answered from one that nobody took', async () => {
    let isTaken = false;
    const close = watch(() => {
      isTaken = true;
      return new Promise(() => {});
    });
    // The time for the answer is over as soon as the request is taken up, however long that takes.
    const hasty = { ...clock, now: () => clock.now() + (isTaken ? patient.answerTimeoutMs : 0) };

    const reply = await askThroughFolder(folder, 'a', { ...patient, clock: hasty });

    expect(reply).toEqual({ state: 'unanswered' });
    await close();
    expect(readdirSync(folder)).toEqual([]);
  });

  test('answers the next request while an answer takes its time', async () => {
    const slow = Promise.withResolvers<object>();
    const close = watch(async request => (request === 'slow' ? slow.promise : { fast: true }));

    const first = askThroughFolder(folder, 'slow', patient);
    const second = await askThroughFolder(folder, 'fast', patient);
    slow.resolve({ slow: true });

    expect([await first, second]).toEqual([answered({ slow: true }), answered({ fast: true })]);
    await close();
  });

  test('is for its owner alone, as the files in it', async () => {
    chmodSync(folder, 0o755);
    const modes: number[] = [];
    const close = watch(async () => ({}));

    await askThroughFolder(folder, 'a', {
      ...patient,
      isWatched: async () => {
        for (const path of [folder, ...readdirSync(folder).map(file => join(folder, file))])
          modes.push(statSync(path).mode & 0o777);
        return true;
      },
    });
    await close();

    expect(modes.slice(0, 2)).toEqual([0o700, 0o600]);
  });

  test('sweeps out what a process left that was killed while it asked, and what is no request', async () => {
    const old = { askedAtMs: Date.now() - 60_000, request: 'old' };
    writeFileSync(join(folder, 'old.request.json'), JSON.stringify(old));
    writeFileSync(join(folder, 'torn.request.json'), '{"asked');
    for (const left of ['a.answer.json', 'b.answer.json.draft']) {
      writeFileSync(join(folder, left), '{"rows":["text of a row"]}');
      utimesSync(join(folder, left), new Date(old.askedAtMs), new Date(old.askedAtMs));
    }
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

    expect(await askThroughFolder(folder, 'a', patient)).toEqual(answered({ ok: true }));
    await close();
  });
});
