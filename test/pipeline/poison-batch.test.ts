import { describe, expect, test } from 'vitest';
import type { EmbedReply, EmbedRequest } from '../../lib/ports/provider.ts';
import { embedAll, failWith } from '../doubles/scripted-provider.ts';
import { createSeededRandomness } from '../doubles/seeded-randomness.ts';
import { countOutcomes, putRow } from '../factories/logged-twin.ts';
import { makeSpace } from '../factories/space.ts';
import { makeWorld } from '../factories/world.ts';
import { spaceOf } from '../twin/twin-database.ts';
import { buyTexts, driveFleet } from './run-world.ts';

const TEXTS = 100;
const EXTRA_CALLS = 15;
/** A delivery that ends for its calls has decided as many texts at least. */
const LEAST_DECIDED = 4;

type Script = (request: EmbedRequest) => EmbedReply;

const isPoison = (text: string) => text.startsWith('POISON');
const refusing: Script = request =>
  request.texts.some(isPoison) ? failWith('item', 'http_400') : embedAll(request);
const dropping: Script = request => {
  const reply = embedAll(request);
  return request.texts.some(isPoison) ? { ...reply, items: reply.items.slice(1) } : reply;
};

/** Texts of which so many are poison, at places drawn from the seed. */
function drawTexts(seed: number, poison: number): string[] {
  const randomness = createSeededRandomness(seed);
  const places = new Set<number>();
  while (places.size < poison) places.add(Math.floor(randomness.fraction() * TEXTS));
  return Array.from({ length: TEXTS }, (_, place) => `${places.has(place) ? 'POISON' : 'text'} ${place}`);
}

/** Delivered again and again until every text is decided. */
async function deliver(texts: readonly string[], script: Script) {
  const world = makeWorld();
  world.provider.script = script;
  const deliveries: { readonly calls: number; readonly decided: number }[] = [];
  let left = texts;
  let refused = 0;
  while (left.length > 0 && deliveries.length < TEXTS) {
    const callsBefore = world.provider.requests.length;
    const { results, ended } = await buyTexts(world, left);
    expect([undefined, 'call_budget']).toContain(ended?.code);
    deliveries.push({ calls: world.provider.requests.length - callsBefore, decided: results.size });
    refused += [...results.values()].filter(({ kind }) => kind === 'refused').length;
    left = left.filter((_, position) => !results.has(position));
  }
  return { deliveries, refused, calls: world.provider.requests.length };
}

describe('a batch of 100 texts', () => {
  describe.each([
    ['refuses poison', refusing, 1],
    ['answers a vector too few for poison', dropping, 2],
  ] as const)('at a provider that %s', (_name, script, firstCalls) => {
    test.each([0, 37, 63, 99])('is decided in one delivery where text %i is the only one', async place => {
      const texts = drawTexts(1, 0).map((text, index) => (index === place ? `POISON ${index}` : text));

      const { deliveries, refused } = await deliver(texts, script);

      expect(deliveries).toHaveLength(1);
      expect(refused).toBe(1);
      expect(deliveries[0]?.calls).toBeLessThanOrEqual(firstCalls + EXTRA_CALLS);
    });

    test.each([2, 5, 11, 25, 50, 75, 100])(
      'of which %i are poison makes 15 extra calls in a delivery and 400 calls in all at most',
      async poison => {
        for (let seed = 1; seed <= 5; seed += 1) {
          const { deliveries, refused, calls } = await deliver(drawTexts(seed, poison), script);

          const where = `seed ${seed}`;
          expect(refused, where).toBe(poison);
          expect(calls, where).toBeLessThanOrEqual(400);
          expect(deliveries.length, where).toBeLessThanOrEqual(TEXTS / LEAST_DECIDED);
          const mostCalls = Math.max(...deliveries.map(delivery => delivery.calls));
          expect(mostCalls, where).toBeLessThanOrEqual(firstCalls + EXTRA_CALLS);
          const early = deliveries.slice(0, -1).map(({ decided }) => decided);
          expect(Math.min(LEAST_DECIDED, ...early), where).toBe(LEAST_DECIDED);
        }
      },
    );
  });

  test('at a provider that fails every other call repeats none beyond its extra calls', async () => {
    const world = makeWorld();
    world.provider.script = (request, call) =>
      call % 2 === 0 ? failWith('transient', 'http_503') : refusing(request);

    const { calls, ended } = await buyTexts(world, drawTexts(1, 11));

    expect(ended).toBeDefined();
    expect(calls.length).toBeLessThanOrEqual(1 + EXTRA_CALLS);
  });

  test('of which 60 are poison costs no row, however often its message comes', async () => {
    const world = makeWorld();
    world.provider.script = refusing;
    for (const [place, text] of drawTexts(6, 60).entries())
      putRow(world.twin, makeSpace(), String(place).padStart(3, '0'), text);

    await driveFleet(world, 30);

    const table = spaceOf(world.twin, makeSpace());
    expect((await world.deadLetters.depth()).visible).toBe(0);
    expect(countOutcomes(table, 'refused:http_400')).toBe(60);
    expect(countOutcomes(table, 'embedded')).toBe(40);
    expect(world.provider.requests.length).toBeLessThanOrEqual(400);
  });
});
