import { describe, expect, test } from 'vitest';
import type { FailureClass } from '../../lib/core/model.ts';
import { isUnanswered } from '../../lib/core/pace.ts';
import { runUntilFresh } from '../../lib/local/run-until-fresh.ts';
import type { EmbedRequest } from '../../lib/ports/provider.ts';
import { embedAll, failWith } from '../doubles/scripted-provider.ts';
import { createSeededRandomness } from '../doubles/seeded-randomness.ts';
import { countOutcomes, putRow } from '../factories/logged-twin.ts';
import { makeSpace } from '../factories/space.ts';
import { makeWorld, type World } from '../factories/world.ts';
import { spaceOf } from '../twin/twin-database.ts';
import { buyTexts, driveFleet, toLocalRunPorts } from './run-world.ts';

const isPoison = (text: string) => text.startsWith('POISON');
const hundred = (poison: readonly number[]) =>
  Array.from({ length: 100 }, (_, place) => `${poison.includes(place) ? 'POISON' : 'text'} ${place}`);

/** Answers so whenever a poison text is in the batch. */
const answering =
  (failureClass: FailureClass, code: string) =>
  (request: EmbedRequest): ReturnType<typeof embedAll> =>
    request.texts.some(isPoison) ? failWith(failureClass, code) : embedAll(request);

function fillWorld(rows: number, poison: readonly number[], space = makeSpace()): World {
  const world = makeWorld([space]);
  for (let row = 0; row < rows; row += 1)
    putRow(
      world.twin,
      space,
      String(row).padStart(4, '0'),
      poison.includes(row) ? `POISON ${row}` : `${row}`,
    );
  return world;
}

const KINDS: readonly (readonly [FailureClass, string])[] = [
  ['transient', 'http_500'],
  ['transient', 'http_502'],
  ['transient', 'http_503'],
  ['transient', 'http_504'],
  ['transient', 'http_408'],
  ['transient', 'network_econnreset'],
  ['transient', 'network_und_err_socket'],
  ['transient', 'timeout'],
  ['transient', 'invalid_reply'],
  ['transient', 'invalid_reply_count'],
  ['transient', 'reply_too_large'],
  ['transient', 'tei_unhealthy'],
  ['transient', 'tei_backend'],
  ['unknown', 'http_418'],
  ['stop', 'embeddings_unsupported'],
];

describe('a text whose batch the provider answers without blaming a text', () => {
  test.each(KINDS)('(%s, %s) holds up no other row of 250 and is named', async (failureClass, code) => {
    const world = fillWorld(250, [105]);
    world.provider.script = answering(failureClass, code);

    const first = await runUntilFresh(toLocalRunPorts(world));
    const calls = world.provider.requests.length;
    const second = await runUntilFresh(toLocalRunPorts(world));

    expect(first).toMatchObject({ embedded: 249, failed: 1, deadLetters: 0 });
    expect(countOutcomes(spaceOf(world.twin, makeSpace()), `refused:${code}`)).toBe(1);
    expect(await world.embedPorts.control.reasons()).toEqual([]);
    expect(second.itemsDone - first.itemsDone).toBe(0);
    expect(world.provider.requests.length, 'a second run buys nothing').toBe(calls);
  });

  test.each(Array.from({ length: 100 }, (_, place) => place))(
    'is found within one delivery, wherever it stands (%i)',
    async place => {
      const world = makeWorld();
      world.provider.script = answering('transient', 'http_500');

      const { results, ended, calls } = await buyTexts(world, hundred([place]), true);

      expect(ended).toBeUndefined();
      expect(results.get(place)).toEqual({ kind: 'refused', code: 'http_500' });
      expect([...results.values()].filter(({ kind }) => kind === 'vector')).toHaveLength(99);
      // Two tries, the harmless text, and the extra calls.
      expect(calls.length).toBeLessThanOrEqual(3 + 15);
    },
  );

  test.each([2, 5, 11, 25, 50, 100])('comes to its end where there are %i of a hundred', async count => {
    for (let seed = 1; seed <= 3; seed += 1) {
      const randomness = createSeededRandomness(seed);
      const poison = new Set<number>();
      while (poison.size < count) poison.add(Math.floor(randomness.fraction() * 100));
      const world = makeWorld();
      world.provider.script = answering('transient', 'http_500');
      let left = hundred([...poison]);
      let refused = 0;
      for (let delivery = 0; left.length > 0; delivery += 1) {
        const { results, ended, calls } = await buyTexts(world, left, true);
        const where = `seed ${seed}, delivery ${delivery}`;
        expect([undefined, 'call_budget'], where).toContain(ended?.code);
        expect(results.size, where).toBeGreaterThan(0);
        expect(calls.length, where).toBeLessThanOrEqual(3 + 15);
        refused += [...results.values()].filter(({ kind }) => kind === 'refused').length;
        left = left.filter((_, position) => !results.has(position));
      }
      expect(refused, `seed ${seed}`).toBe(count);
    }
  });

  test('is found at its first delivery where other calls succeed meanwhile', async () => {
    const world = makeWorld();
    world.provider.script = answering('transient', 'http_500');

    const [purchase, other] = await Promise.all([
      buyTexts(world, hundred([42])),
      (async () => {
        // In the wait between two tries of the other batch.
        await world.clock.sleep(1);
        return buyTexts(world, hundred([]));
      })(),
    ]);

    expect(other.ended).toBeUndefined();
    expect(purchase.ended).toBeUndefined();
    expect(purchase.results.get(42)).toEqual({ kind: 'refused', code: 'http_500' });
  });

  test('is found by processes that remember nothing, from messages that come again', async () => {
    const world = fillWorld(250, [7, 105]);
    world.provider.script = answering('transient', 'http_500');
    const coldProcess = () => {
      const provider = { limits: world.provider.limits, embed: world.provider.embed };
      return { ...world.embedPorts, providers: () => provider };
    };

    await driveFleet(world, 10, 10, [coldProcess]);

    const table = spaceOf(world.twin, makeSpace());
    expect(countOutcomes(table, 'refused:http_500')).toBe(2);
    expect(countOutcomes(table, 'embedded')).toBe(248);
    expect((await world.deadLetters.depth()).visible).toBe(0);
  });

  test('is found where its model allows one try, once its message comes again', async () => {
    const space = makeSpace({ model: { maxRetries: 0 } });
    const world = fillWorld(20, [3], space);
    world.provider.script = answering('transient', 'http_500');

    await driveFleet(world, 5, 1);

    expect(countOutcomes(spaceOf(world.twin, space), 'refused:http_500')).toBe(1);
    expect(countOutcomes(spaceOf(world.twin, space), 'embedded')).toBe(19);
  });

  test('is not written off with its neighbours where an outage would be', async () => {
    const space = makeSpace({ source: { onOutage: 'dead-letter' } });
    const world = fillWorld(100, [3], space);
    world.provider.script = answering('transient', 'http_500');

    await driveFleet(world, 10, 2);

    expect(countOutcomes(spaceOf(world.twin, space), 'embedded')).toBe(99);
    expect(countOutcomes(spaceOf(world.twin, space), 'refused:http_500')).toBe(1);
  });
});

describe('during an outage', () => {
  const doubtful = KINDS.filter(([, code]) => !/^(tei_backend|invalid_reply_count)$/.test(code));
  test.each(doubtful.flatMap(kind => [[...kind, false] as const, [...kind, true] as const]))(
    '(%s, %s) nothing is taken apart and no text is blamed; redelivered: %s',
    async (failureClass, code, redelivered) => {
      const world = makeWorld();
      world.provider.script = () => failWith(failureClass, code);

      const { results, ended } = await buyTexts(world, hundred([]), redelivered);

      expect(results.size).toBe(0);
      expect(ended).toMatchObject({ failureClass, code });
      const sizes = world.provider.requests.map(({ texts }) => texts.length);
      expect(sizes.length).toBeLessThanOrEqual(3);
      // The server of a gateway that gives up waiting may be slow: the next call is smaller, and no call more.
      if (isUnanswered(code)) expect(sizes).toEqual([100, 50, 25]);
      else expect(sizes.slice(1).every(size => size === 100 || size === 1)).toBe(true);
    },
  );

  test.each(Array.from({ length: 19 }, (_, call) => call))(
    'that begins after %i calls of taking apart, no other text is blamed',
    async before => {
      const world = makeWorld();
      let calls = 0;
      world.provider.script = request => {
        calls += 1;
        return calls > before
          ? failWith('transient', 'http_503')
          : answering('transient', 'http_500')(request);
      };

      const { results } = await buyTexts(world, hundred([42]), true);

      const blamed = [...results].filter(([, { kind }]) => kind !== 'vector').map(([place]) => place);
      expect([[], [42]]).toContainEqual(blamed);
    },
  );

  test('that lasts for a while, in the midst of taking apart, no other text is blamed', async () => {
    for (let begins = 0; begins < 20; begins += 1) {
      for (let lasts = 1; lasts < 12; lasts += 1) {
        const world = makeWorld();
        let calls = 0;
        world.provider.script = request => {
          calls += 1;
          const isOut = calls > begins && calls <= begins + lasts;
          return isOut ? failWith('transient', 'http_503') : answering('transient', 'http_500')(request);
        };
        let left = hundred([42, 43, 77]);
        for (let delivery = 0; left.length > 0 && delivery < 20; delivery += 1) {
          const { results } = await buyTexts(world, left, true);
          const blamed = [...results]
            .filter(([, { kind }]) => kind !== 'vector')
            .map(([place]) => left[place]);
          expect(
            blamed.filter(text => !isPoison(text ?? '')),
            `${begins} ${lasts}`,
          ).toEqual([]);
          left = left.filter((_, position) => !results.has(position));
        }
        expect(left).toEqual([]);
      }
    }
  });
});
