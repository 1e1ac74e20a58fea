import { expect, test } from 'vitest';
import { FreshetError } from '../../lib/core/errors.ts';
import { runUntilFresh } from '../../lib/local/run-until-fresh.ts';
import { embedAll, failWith } from '../doubles/scripted-provider.ts';
import { countOutcomes, putRow } from '../factories/logged-twin.ts';
import { makeSpace } from '../factories/space.ts';
import { knowAsFast, makeWorld, type World } from '../factories/world.ts';
import { spaceOf } from '../twin/twin-database.ts';
import { toLocalRunPorts } from './run-world.ts';

const ROWS = 100;
const TEXTS_PER_CALL = 20;
const CALL_MS = 12_000;
const RUN = 1;

/** One message of five calls, each of which takes as long as `callMs` says. */
function openWorld(onOutage?: 'dead-letter'): World {
  const world = makeWorld([makeSpace(onOutage && { source: { onOutage } })]);
  world.twin.liveRuns.add(RUN);
  knowAsFast(world);
  Object.assign(world.provider.limits, { maxTextsPerCall: TEXTS_PER_CALL });
  for (let row = 0; row < ROWS; row += 1)
    putRow(world.twin, makeSpace(), String(row).padStart(3, '0'), `text ${row}`);
  return world;
}

/** Runs until `stopAtMs`, as Ctrl-C then ends it. */
async function runFor(world: World, stopAtMs: number) {
  const stop = new AbortController();
  const givenUp = new AbortController();
  void world.clock.sleep(stopAtMs).then(() => stop.abort());
  const embedPorts = { ...world.embedPorts, runId: RUN, givenUp: () => givenUp.signal };
  const more = { signal: stop.signal, giveUpCalls: () => givenUp.abort() };
  return runUntilFresh(toLocalRunPorts({ ...world, embedPorts }, {}, more));
}

test('a run that is told to stop in the middle of a long call writes what its message bought before', async () => {
  const world = openWorld();
  world.provider.script = async request => {
    await world.clock.sleep(CALL_MS, request.signal);
    if (request.signal?.aborted)
      throw new FreshetError('The call was given up.', { failureClass: 'transient', code: 'aborted' });
    return embedAll(request);
  };
  const startedMs = world.clock.now();

  const result = await runFor(world, 2.5 * CALL_MS);

  expect(result).toMatchObject({ interrupted: true, embedded: 2 * TEXTS_PER_CALL });
  expect(countOutcomes(spaceOf(world.twin, makeSpace()), 'embedded')).toBe(2 * TEXTS_PER_CALL);
  expect(world.provider.requests).toHaveLength(3);
  expect(world.clock.now() - startedMs - 2.5 * CALL_MS).toBeLessThanOrEqual(5_000);
  expect(await world.control.reasons('model:small')).toEqual([]);
});

test('a call that ends within the grace is written too', async () => {
  const world = openWorld();
  world.provider.script = async request => {
    await world.clock.sleep(2_000, request.signal);
    return embedAll(request);
  };

  const result = await runFor(world, 3_000);

  expect(result).toMatchObject({ interrupted: true, embedded: 2 * TEXTS_PER_CALL });
});

test('a message that waits for its next try writes what it bought before', async () => {
  const world = openWorld();
  world.provider.script = (request, call) =>
    call === 3 ? failWith('throttled', 'rate_limit', 15_000) : embedAll(request);

  const result = await runFor(world, 1_000);

  expect(result).toMatchObject({ interrupted: true, embedded: 2 * TEXTS_PER_CALL });
});

test('a call that is given up is no outage, whatever the source says of outages', async () => {
  const world = openWorld('dead-letter');
  Object.assign(world.embedPorts.limits, { maxReceiveCount: 1 });
  world.provider.script = async request => {
    await world.clock.sleep(CALL_MS, request.signal);
    return request.signal?.aborted ? failWith('transient', 'aborted') : embedAll(request);
  };

  const result = await runFor(world, 1.5 * CALL_MS);

  expect(result).toMatchObject({ embedded: TEXTS_PER_CALL, failed: 0 });
});
