import { describe, expect, test } from 'vitest';
import { FreshetError } from '../../lib/core/errors.ts';
import { runUntilFresh } from '../../lib/local/run-until-fresh.ts';
import { callWithRetries } from '../../lib/pipeline/embed/call-with-retries.ts';
import { failWith } from '../doubles/scripted-provider.ts';
import { countOutcomes, putRow } from '../factories/logged-twin.ts';
import { makeSpace } from '../factories/space.ts';
import { makeWorld } from '../factories/world.ts';
import { spaceOf } from '../twin/twin-database.ts';
import { toLocalRunPorts } from './run-world.ts';

const plenty = () => 300_000;

describe('a call that is refused because its source is paused', () => {
  test('holds up no other source of the same model', async () => {
    const paused = makeSpace({ spaceId: 1, source: { name: 'paused' } });
    const other = makeSpace({ spaceId: 2, source: { name: 'other' } });
    const world = makeWorld([paused, other]);
    const request = { lane: 'fresh', texts: ['text'], rows: 1 } as const;
    await world.control.pause('source:paused', 'operator', 'maintenance');

    const refused = await callWithRetries(world.embedPorts, { space: paused, ...request }, plenty);
    const made = await callWithRetries(world.embedPorts, { space: other, ...request }, plenty);

    expect(refused.result.failure).toMatchObject({ failureClass: 'throttled', code: 'paused' });
    expect(made.result.failure).toBeUndefined();
    expect(world.provider.requests).toHaveLength(1);
  });

  test('leaves the probe of a provider that asked for patience to the others', async () => {
    const paused = makeSpace({ spaceId: 1, source: { name: 'paused' } });
    const other = makeSpace({ spaceId: 2, source: { name: 'other' } });
    const world = makeWorld([paused, other]);
    const request = { lane: 'fresh', texts: ['text'], rows: 1 } as const;
    world.provider.script = () => failWith('throttled', 'rate_limit', 40_000);
    await callWithRetries(world.embedPorts, { space: other, ...request }, plenty);
    await world.clock.sleep(40_000);
    await world.control.pause('source:paused', 'operator', 'maintenance');

    const refused = await callWithRetries(world.embedPorts, { space: paused, ...request }, plenty);
    world.provider.script = () => failWith('throttled', 'rate_limit', 1_000);
    const probe = await callWithRetries(world.embedPorts, { space: other, ...request }, plenty);

    expect(refused.result.failure).toMatchObject({ code: 'paused' });
    // A probe is one call; where the way were open, three tries would have been made.
    expect(probe.calls).toHaveLength(1);
    expect(world.provider.requests).toHaveLength(2);
  });
});

describe('a deadlock', () => {
  test.each(['beginEmbedding', 'readRows', 'markAnnounced'] as const)(
    'of %s is tried again within the message, which buys nothing twice',
    async method => {
      const space = makeSpace();
      const world = makeWorld([space]);
      putRow(world.twin, space, '001', 'text');
      let failures = 0;
      const once = (...given: never[]) => {
        failures += 1;
        if (failures === 1)
          throw new FreshetError('deadlock', { failureClass: 'transient', code: 'sqlstate_40P01' });
        return (world.embedPorts.embedding[method] as (...values: never[]) => Promise<never>)(...given);
      };
      const embedding = {
        ...world.embedPorts.embedding,
        [method]: async (...given: never[]) => once(...given),
      };

      await runUntilFresh(toLocalRunPorts({ ...world, embedPorts: { ...world.embedPorts, embedding } }));

      expect(failures).toBe(2);
      expect(world.provider.requests).toHaveLength(1);
      expect(countOutcomes(spaceOf(world.twin, space), 'embedded')).toBe(1);
      expect(world.logger.lines.filter(({ event }) => event === 'record-failed')).toEqual([]);
    },
  );
});
