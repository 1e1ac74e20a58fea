import { describe, expect, test } from 'vitest';
import { runUntilFresh } from '../../lib/local/run-until-fresh.ts';
import { createScriptedProvider, embedAll, failWith } from '../doubles/scripted-provider.ts';
import { countOutcomes, putRow } from '../factories/logged-twin.ts';
import { makeSpace } from '../factories/space.ts';
import { makeWorld } from '../factories/world.ts';
import { spaceOf } from '../twin/twin-database.ts';
import { toLocalRunPorts } from './run-world.ts';

const primary = makeSpace({ spaceId: 1, model: { alias: 'good' } });
const fallback = {
  ...makeSpace({ spaceId: 2, model: { alias: 'toy' }, status: 'building' }),
  fallbackFor: ['good'],
};

function setUp() {
  const world = makeWorld([primary, fallback]);
  const good = createScriptedProvider();
  const toy = createScriptedProvider();
  const providers = (alias: string) => (alias === 'good' ? good : toy);
  for (const space of [primary, fallback])
    for (let index = 0; index < 250; index += 1)
      putRow(world.twin, space, String(index).padStart(3, '0'), `text ${index}`);
  const embedded = (space: typeof primary) => countOutcomes(spaceOf(world.twin, space), 'embedded');
  const parts = () => toLocalRunPorts({ ...world, embedPorts: { ...world.embedPorts, providers } });
  return { world, good, toy, embedded, parts };
}

describe('a fallback model', () => {
  test('is not called while the model that it stands in for works', async () => {
    const { toy, embedded, parts } = setUp();

    const result = await runUntilFresh(parts());

    expect(result).toMatchObject({ embedded: 250, faults: [] });
    expect(embedded(primary)).toBe(250);
    expect(toy.requests).toEqual([]);
  });

  test('fills its own space while the other is paused, and the run then ends with the reason', async () => {
    const { good, embedded, parts, world } = setUp();
    good.script = () => failWith('stop', 'insufficient_quota');

    await expect(runUntilFresh(parts())).rejects.toMatchObject({ code: 'insufficient_quota' });

    expect(embedded(primary)).toBe(0);
    expect(embedded(fallback)).toBe(250);
    expect(good.requests.length).toBeLessThanOrEqual(2);
    expect(world.twin.pauses).toMatchObject([{ scope: 'model:good' }]);
  });

  test('leaves the work to the other once that is back', async () => {
    const { good, toy, embedded, parts } = setUp();
    good.script = () => failWith('stop', 'insufficient_quota');
    await expect(runUntilFresh(parts())).rejects.toMatchObject({ code: 'insufficient_quota' });
    const calls = toy.requests.length;
    good.script = embedAll;

    await runUntilFresh({ ...parts(), tally: setUp().world.tally });

    expect(embedded(primary)).toBe(250);
    expect(toy.requests.length).toBe(calls);
  });

  test('does not stand in for a model that an operator paused', async () => {
    const { toy, parts, world } = setUp();
    await world.control.pause('model:good', 'operator', 'maintenance');

    expect((await runUntilFresh(parts())).faults).toMatchObject([{ source: 'items', code: 'operator' }]);

    expect(toy.requests).toEqual([]);
  });
});
