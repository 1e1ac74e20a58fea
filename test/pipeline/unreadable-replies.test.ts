import { describe, expect, test } from 'vitest';
import { describeNotices } from '../../lib/local/describe-notices.ts';
import { runUntilFresh } from '../../lib/local/run-until-fresh.ts';
import type { EmbedPorts } from '../../lib/pipeline/embed/embed-ports.ts';
import type { EmbedReply, EmbedRequest } from '../../lib/ports/provider.ts';
import { embedAll } from '../doubles/scripted-provider.ts';
import { countOutcomes, putRow } from '../factories/logged-twin.ts';
import { makeSpace } from '../factories/space.ts';
import { makeWorld, type World } from '../factories/world.ts';
import { spaceOf } from '../twin/twin-database.ts';
import { driveFleet, toLocalRunPorts } from './run-world.ts';

const ROWS = 250;

/** Numbers the vectors anew after so many of them. */
const numberedBy = (size: number) => (request: EmbedRequest) => {
  const reply = embedAll(request);
  return { ...reply, items: reply.items.map(item => ({ ...item, index: item.index % size })) };
};

/** Answers so many texts of a call, and says nothing of the others. */
const answeringOnly = (size: number) => (request: EmbedRequest) => {
  const reply = embedAll(request);
  return { ...reply, items: reply.items.slice(0, size) };
};

const fromOne = (request: EmbedRequest) => {
  const reply = embedAll(request);
  return { ...reply, items: reply.items.map(({ bytes, index }) => ({ bytes, index: index + 1 })) };
};

/** Name, script, texts that it tells apart, and texts that a later worker may buy twice. */
const SERVERS: readonly (readonly [string, (request: EmbedRequest) => EmbedReply, number, number])[] = [
  ['numbers every vector 0', numberedBy(1), 1, 2],
  ['begins to number anew after 32 vectors', numberedBy(32), 32, 64],
  ['numbers its vectors from 1', fromOne, 1, 2],
  ['answers the first text of a call alone', answeringOnly(1), 1, 8],
  // Its calls grow by ten texts until one is answered short: as many texts as calls had before.
  ['answers 16 texts of a call', answeringOnly(16), 16, 26],
];

function openWorld(script: (request: EmbedRequest) => EmbedReply): World {
  const world = makeWorld();
  for (let row = 0; row < ROWS; row += 1)
    putRow(world.twin, makeSpace(), String(row).padStart(4, '0'), `text ${row}`);
  world.provider.script = script;
  return world;
}

const countTexts = ({ provider }: World) =>
  provider.requests.reduce((sum, { texts }) => sum + texts.length, 0);

describe.each(SERVERS)('a server that %s', (_name, script, readable, boughtTwice) => {
  test('is asked for no more than it tells apart, and for nearly nothing twice', async () => {
    const world = openWorld(script);

    const summary = await runUntilFresh(toLocalRunPorts(world));

    expect(summary).toMatchObject({ embedded: ROWS, failed: 0, deadLetters: 0 });
    const calls = world.provider.requests.length;
    expect(calls, 'one call that shows it, and what each batch needs').toBeLessThanOrEqual(
      1 + 3 * Math.ceil(100 / readable),
    );
    expect(countTexts(world) - ROWS, 'texts bought twice').toBeLessThanOrEqual(100);
  });

  test('says at the end what was seen and which limit spares it', async () => {
    const world = openWorld(script);

    await runUntilFresh(toLocalRunPorts(world));

    const limitedModels = world.tally.limitedModels();
    const notices = describeNotices({ skipped: [], orphansKept: [], limitedModels });
    expect(notices.join('\n')).toContain(`models.small.limits.maxTextsPerCall: ${readable}`);
  });

  test('has taught a worker that comes later', async () => {
    const world = openWorld(script);
    const makeProcess = (): EmbedPorts => {
      const provider = { limits: world.provider.limits, embed: world.provider.embed };
      return { ...world.embedPorts, runId: null, providers: () => provider };
    };
    await driveFleet(world, 5, 1, [makeProcess()]);
    const before = countTexts(world);
    for (let row = 0; row < 100; row += 1)
      putRow(world.twin, makeSpace(), `9${String(row).padStart(3, '0')}`, `later ${row}`);

    await driveFleet(world, 5, 1, [makeProcess()]);

    expect(countOutcomes(spaceOf(world.twin, makeSpace()), 'embedded')).toBe(ROWS + 100);
    expect(countTexts(world) - before - 100, 'texts bought twice').toBeLessThanOrEqual(boughtTwice);
  });
});

test('a reply that is wrong once makes calls small for ten minutes at most', async () => {
  const world = openWorld((request: EmbedRequest) => embedAll(request));
  let calls = 0;
  world.provider.script = request => {
    calls += 1;
    return (calls === 1 ? numberedBy(1) : embedAll)(request);
  };
  await runUntilFresh(toLocalRunPorts(world));
  expect(countOutcomes(spaceOf(world.twin, makeSpace()), 'embedded')).toBe(ROWS);

  await world.clock.sleep(600_000);
  for (let row = 0; row < 2_000; row += 1)
    putRow(world.twin, makeSpace(), `9${String(row).padStart(4, '0')}`, `later ${row}`);
  const before = world.provider.requests.length;
  await runUntilFresh(toLocalRunPorts(world));

  expect(world.provider.requests.length - before).toBeLessThanOrEqual(20 + 30);
});

test('the index of one vector for one text is no question', async () => {
  const world = openWorld(request => fromOne(request));
  world.provider.script = request => ({
    ...embedAll(request),
    items: embedAll(request).items.map(({ bytes }) => ({ bytes, index: 7 })),
  });

  const summary = await runUntilFresh(toLocalRunPorts(world));

  expect(summary).toMatchObject({ embedded: ROWS, failed: 0 });
});
