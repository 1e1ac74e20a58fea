import { describe, expect, test } from 'vitest';
import { countOutcomes, isStale, putRow } from '../doubles/memory-database.ts';
import { embedAll, failWith } from '../doubles/scripted-provider.ts';
import { makeSpace } from '../factories/space.ts';
import { makeWorld, type World } from '../factories/world.ts';
import { driveFleet } from '../support/drive-fleet.ts';

const ROWS = 10_000;
const MINUTE_MS = 60_000;

function fillWorld(): World {
  const world = makeWorld();
  for (let index = 0; index < ROWS; index += 1)
    putRow(world.database, makeSpace(), String(index).padStart(5, '0'), `text ${index}`);
  return world;
}

/** Fails for so many minutes, then embeds; resolves with the number of calls in each minute since the start. */
function failFor(world: World, minutes: number, fail: () => never): number[] {
  const startedMs = world.clock.now();
  const calls: number[] = [];
  world.provider.script = async request => {
    const elapsedMs = world.clock.now() - startedMs;
    const minute = Math.floor(elapsedMs / MINUTE_MS);
    calls[minute] = (calls[minute] ?? 0) + 1;
    await world.clock.sleep(200);
    return elapsedMs < minutes * MINUTE_MS ? fail() : embedAll(request);
  };
  return calls;
}

const callsBetween = (calls: readonly number[], from: number, to: number) =>
  Array.from({ length: to - from }, (_, index) => calls[from + index] ?? 0);

async function expectAllEmbedded(world: World): Promise<void> {
  const table = world.database.of(makeSpace());
  expect((await world.deadLetters.depth()).visible).toBe(0);
  expect([...table.rows.values()].filter(row => isStale(table, row))).toEqual([]);
  expect(countOutcomes(table, 'embedded')).toBe(ROWS);
  expect(world.database.grants.size).toBe(0);
}

describe('with 10,000 rows in flight', () => {
  test.each([
    ['30 minutes of 429s without a hint', 30, 'rate_limit', undefined],
    ['30 minutes of 429s that hint at a second', 30, 'rate_limit', 1_000],
    ['30 minutes of 429s that hint at 45 seconds', 30, 'rate_limit', 45_000],
    ['15 minutes of a cold endpoint', 15, 'cold', undefined],
  ])('%s cost no row, and one probe a minute at most', async (_name, minutes, code, hintMs) => {
    const world = fillWorld();
    const calls = failFor(world, minutes, () => failWith('throttled', code, hintMs));

    await driveFleet(world, minutes + 15);

    await expectAllEmbedded(world);
    expect(Math.max(...callsBetween(calls, 2, minutes))).toBe(1);
    // Ten workers with three tries each, then one probe whenever it was asked for; after a minute of that, one a minute.
    const atFirst = 10 * 3 + Math.ceil(MINUTE_MS / (hintMs ?? 30_000)) + 1;
    expect(callsBetween(calls, 0, 2).reduce((sum, count) => sum + count)).toBeLessThanOrEqual(atFirst);
    const needed = ROWS / 100;
    expect(world.provider.requests.length - needed).toBeLessThanOrEqual(atFirst + minutes);
  });

  test('half an hour without credit is one call per worker, a pause with its reason, and no row lost', async () => {
    const world = fillWorld();
    const calls = failFor(world, 30, () => failWith('stop', 'insufficient_quota'));

    await driveFleet(world, 31);
    expect(world.database.pauses).toMatchObject([
      { scope: 'model:small', reason: 'provider:insufficient_quota' },
    ]);
    await world.control.resume('model:small', 'provider:insufficient_quota');
    await driveFleet(world, 15);

    await expectAllEmbedded(world);
    expect(callsBetween(calls, 0, 1)[0]).toBeLessThanOrEqual(10);
    expect(callsBetween(calls, 1, 30)).toEqual(Array(29).fill(0));
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
