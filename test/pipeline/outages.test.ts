import { describe, expect, test } from 'vitest';
import type { EmbedPorts } from '../../lib/pipeline/embed/embed-ports.ts';
import type { EmbeddingProvider } from '../../lib/ports/provider.ts';
import { embedAll, failWith } from '../doubles/scripted-provider.ts';
import { countOutcomes, findStaleRows, putRow } from '../factories/logged-twin.ts';
import { makeSpace } from '../factories/space.ts';
import { makeWorld, type World } from '../factories/world.ts';
import { spaceOf } from '../twin/twin-database.ts';
import { driveFleet } from './run-world.ts';

const ROWS = 10_000;
const WORKERS = 10;
const MINUTE_MS = 60_000;

function fillWorld(): World {
  const world = makeWorld();
  for (let index = 0; index < ROWS; index += 1)
    putRow(world.twin, makeSpace(), String(index).padStart(5, '0'), `text ${index}`);
  return world;
}

/** Fails for so many minutes, then embeds; resolves with the number of calls in each minute since the start. */
function failFor(world: World, minutes: number, fail: () => never): number[] {
  const startedMs = world.clock.now();
  const calls: number[] = Array(minutes).fill(0);
  world.provider.script = async request => {
    const elapsedMs = world.clock.now() - startedMs;
    const minute = Math.floor(elapsedMs / MINUTE_MS);
    calls[minute] = (calls[minute] ?? 0) + 1;
    await world.clock.sleep(200);
    return elapsedMs < minutes * MINUTE_MS ? fail() : embedAll(request);
  };
  return calls;
}

/** Each has a provider of its own, and so knows alone what the provider said; what they call is counted together. */
function splitIntoProcesses(world: World, count: number): EmbedPorts[] {
  return Array.from({ length: count }, () => {
    const provider: EmbeddingProvider = { limits: world.provider.limits, embed: world.provider.embed };
    return { ...world.embedPorts, providers: () => provider };
  });
}

/** Each worker with three tries, then a probe of each process whenever it was asked for, and the first ones of the once a minute. */
const callsAtFirst = (processes: number, hintMs: number | undefined) =>
  WORKERS * 3 + processes * (Math.ceil(MINUTE_MS / (hintMs ?? 30_000)) + 1);

/** Of each minute of the outage from its beginning. */
function expectFewCalls(calls: readonly number[], processes: number, hintMs: number | undefined): void {
  const [first = 0, second = 0, ...later] = calls;
  expect(first).toBeLessThanOrEqual(callsAtFirst(processes, hintMs));
  expect(first + second).toBeLessThanOrEqual(callsAtFirst(processes, hintMs));
  expect(later.length).toBeGreaterThan(10);
  expect(Math.max(...later)).toBeLessThanOrEqual(processes);
  const asked = later.filter(count => count > 0).length;
  expect(asked, 'it is asked as long as it lasts').toBeGreaterThan(later.length / 2);
}

async function expectAllEmbedded(world: World): Promise<void> {
  const table = spaceOf(world.twin, makeSpace());
  expect((await world.deadLetters.depth()).visible).toBe(0);
  expect(findStaleRows(world.twin, makeSpace())).toEqual([]);
  expect(countOutcomes(table, 'embedded')).toBe(ROWS);
  expect(world.twin.grants.size).toBe(0);
}

describe('with 10,000 rows in flight', () => {
  test.each([
    ['30 minutes of 429s without a hint', 30, 'rate_limit', undefined],
    ['30 minutes of 429s that hint at a second', 30, 'rate_limit', 1_000],
    ['30 minutes of 429s that hint at 45 seconds', 30, 'rate_limit', 45_000],
    ['15 minutes of a cold endpoint', 15, 'cold', undefined],
  ])(
    '%s cost no row; one process asks once a minute from the third on',
    async (_name, minutes, code, hintMs) => {
      const world = fillWorld();
      const calls = failFor(world, minutes, () => failWith('throttled', code, hintMs));

      await driveFleet(world, minutes + 15);

      await expectAllEmbedded(world);
      expectFewCalls(calls.slice(0, minutes), 1, hintMs);
      const needed = ROWS / 100;
      expect(world.provider.requests.length - needed).toBeLessThanOrEqual(callsAtFirst(1, hintMs) + minutes);
    },
  );

  test.each([2, 10])(
    '30 minutes of 429s are met by one call a minute of each of %i processes',
    async processes => {
      const world = fillWorld();
      const calls = failFor(world, 30, () => failWith('throttled', 'rate_limit'));

      await driveFleet(world, 45, WORKERS, splitIntoProcesses(world, processes));

      await expectAllEmbedded(world);
      expectFewCalls(calls.slice(0, 30), processes, undefined);
      expect(Math.max(...calls.slice(2, 30)), 'no process knows of the others').toBeGreaterThan(1);
    },
  );

  test('half an hour without credit is one call per worker, a pause with its reason, and no row lost', async () => {
    const world = fillWorld();
    const calls = failFor(world, 30, () => failWith('stop', 'insufficient_quota'));

    await driveFleet(world, 31);
    expect(world.twin.pauses).toMatchObject([
      { scope: 'model:small', reason: 'provider:insufficient_quota' },
    ]);
    await world.control.resume('model:small', 'provider:insufficient_quota');
    await driveFleet(world, 15);

    await expectAllEmbedded(world);
    expect(calls[0]).toBeLessThanOrEqual(WORKERS);
    expect(calls.slice(1, 30)).toEqual(Array(29).fill(0));
  });

  test('one refused call in between does not hold up the others for longer than asked', async () => {
    const world = fillWorld();
    const startedMs = world.clock.now();
    let doneMs = 0;
    world.provider.script = (request, call) => {
      doneMs = world.clock.now();
      return call === 20 ? failWith('throttled', 'rate_limit', 2_000) : embedAll(request);
    };

    await driveFleet(world, 5);

    await expectAllEmbedded(world);
    expect(doneMs - startedMs).toBeLessThan(10_000);
  });
});
