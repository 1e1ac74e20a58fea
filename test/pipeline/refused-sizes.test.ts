import { describe, expect, test } from 'vitest';
import { runUntilFresh } from '../../lib/local/run-until-fresh.ts';
import { embedAll, failWith } from '../doubles/scripted-provider.ts';
import { putRow } from '../factories/logged-twin.ts';
import { makeSpace } from '../factories/space.ts';
import { makeWorld } from '../factories/world.ts';
import { driveFleet, toLocalRunPorts } from './run-world.ts';

const ROWS = 250;
/** The patience that a 429 without any hint is met with, and a few seconds of repeated calls. */
const PATIENCE_MS = 40_000;

function openWorld(mostTexts: number) {
  const world = makeWorld([makeSpace()]);
  for (let row = 0; row < ROWS; row += 1)
    putRow(world.twin, makeSpace(), String(row).padStart(4, '0'), `text ${row}`);
  const embeddedAtMs = [world.clock.now()];
  world.provider.script = request => {
    if (request.texts.length > mostTexts) failWith('throttled', 'rate_limit');
    embeddedAtMs.push(world.clock.now());
    return embedAll(request);
  };
  const longestWaitMs = () =>
    Math.max(...embeddedAtMs.slice(1).map((atMs, place) => atMs - (embeddedAtMs[place] ?? atMs)));
  return { world, longestWaitMs };
}

describe.each([1, 3, 10, 40])('a server that answers 429 without a hint to more than %i texts', mostTexts => {
  test('lets no row wait in vain for longer than its patience, and then is asked rightly', async () => {
    const { world, longestWaitMs } = openWorld(mostTexts);
    const startedMs = world.clock.now();

    const result = await runUntilFresh(toLocalRunPorts(world));

    expect(result).toMatchObject({ embedded: ROWS, failed: 0, deadLetters: 0 });
    expect(longestWaitMs()).toBeLessThanOrEqual(PATIENCE_MS);
    expect(world.clock.now() - startedMs).toBeLessThanOrEqual(2 * PATIENCE_MS);
    const refused = world.provider.requests.filter(({ texts }) => texts.length > mostTexts);
    expect(refused.length).toBeLessThanOrEqual(15);
  });
});

test('a server that refuses one text too is asked once a minute, as in any outage', async () => {
  const { world } = openWorld(0);

  await driveFleet(world, 20, 4, [world.embedPorts]);

  expect(world.provider.requests.length).toBeLessThanOrEqual(20 + 10);
});
