import { describe, expect, test } from 'vitest';
import type { FailureClass } from '../../lib/core/model.ts';
import { runUntilFresh } from '../../lib/local/run-until-fresh.ts';
import { embedAll, failWith } from '../doubles/scripted-provider.ts';
import { countOutcomes, putRow } from '../factories/logged-twin.ts';
import { makeSpace } from '../factories/space.ts';
import { makeWorld, type World } from '../factories/world.ts';
import { spaceOf } from '../twin/twin-database.ts';
import { driveFleet, toLocalRunPorts } from './run-world.ts';

const space = makeSpace({ source: { onOutage: 'dead-letter' } });

function fillWorld(rows: number): World {
  const world = makeWorld([space]);
  for (let index = 0; index < rows; index += 1)
    putRow(world.twin, space, String(index).padStart(3, '0'), `text ${index}`);
  return world;
}

describe('a source with onOutage "dead-letter"', () => {
  test('records what an outage hits with its code, pauses nothing and goes on', async () => {
    const world = fillWorld(300);
    world.provider.script = (request, call) =>
      call === 1 ? failWith('stop', 'insufficient_quota') : embedAll(request);

    const result = await runUntilFresh(toLocalRunPorts(world));

    const table = spaceOf(world.twin, space);
    expect(result).toMatchObject({ embedded: 200, failed: 100, deadLetters: 0 });
    expect(countOutcomes(table, 'undelivered:insufficient_quota')).toBe(100);
    expect(world.twin.pauses).toEqual([]);
    expect(table.failures.size).toBe(0);
    expect(world.logger.lines).toContainEqual(
      expect.objectContaining({ level: 'error', event: 'outage-recorded' }),
    );
  });

  test('keeps what the same message bought before', async () => {
    const world = fillWorld(4);
    const limits = { ...world.provider.limits, maxTextsPerCall: 2 };
    world.provider.script = (request, call) =>
      call === 1 ? embedAll(request) : failWith('stop', 'insufficient_quota');
    const provider = { ...world.provider, limits };
    const embedPorts = { ...world.embedPorts, providers: () => provider };

    const result = await runUntilFresh(toLocalRunPorts({ ...world, embedPorts }));

    expect(result).toMatchObject({ embedded: 2, failed: 2 });
  });

  test('tries a passing failure for as long as the message may come back, then records it', async () => {
    const world = fillWorld(50);
    world.provider.script = () => failWith('transient', 'http_503');

    await driveFleet(world, 15, 2);

    expect(countOutcomes(spaceOf(world.twin, space), 'undelivered:http_503')).toBe(50);
    expect(world.provider.requests).toHaveLength(4 * 3);
    expect((await world.deadLetters.depth()).visible).toBe(0);
  });

  test.each<[FailureClass, string]>([
    ['throttled', 'cold'],
    ['stop', 'wrong_dimensions'],
  ])('does not record %s %s, which is no outage', async (failureClass, code) => {
    const world = fillWorld(50);
    world.provider.script = () => failWith(failureClass, code);

    await driveFleet(world, 10, 2);

    expect(spaceOf(world.twin, space).outcomes.size).toBe(0);
  });
});

test('a source that says nothing keeps every row for the end of the outage', async () => {
  const world = makeWorld();
  putRow(world.twin, makeSpace(), '1', 'text');
  world.provider.script = () => failWith('stop', 'insufficient_quota');

  await expect(runUntilFresh(toLocalRunPorts(world))).rejects.toMatchObject({ code: 'insufficient_quota' });

  expect(spaceOf(world.twin, makeSpace()).outcomes.size).toBe(0);
  expect(world.twin.pauses).toHaveLength(1);
});
