import { expect, test } from 'vitest';
import { runUntilFresh } from '../../lib/local/run-until-fresh.ts';
import { embedAll, failWith } from '../doubles/scripted-provider.ts';
import { createSeededRandomness } from '../doubles/seeded-randomness.ts';
import { countOutcomes, putRow } from '../factories/logged-twin.ts';
import { makeSpace } from '../factories/space.ts';
import { makeWorld } from '../factories/world.ts';
import { spaceOf } from '../twin/twin-database.ts';
import { toLocalRunPorts } from './run-world.ts';

const ROWS = 10_000;
const POISON = 50;
const MESSAGES = ROWS / 100;

/** Places drawn from the seed; `bunched`: all in the first messages, several in each. */
function choosePoison(seed: number, within: number): ReadonlySet<number> {
  const randomness = createSeededRandomness(seed);
  const chosen = new Set<number>();
  while (chosen.size < POISON) chosen.add(Math.floor(randomness.fraction() * within));
  return chosen;
}

test.each([
  ['scattered over all', 1, ROWS],
  ['scattered over all, drawn anew', 2, ROWS],
  ['bunched into ten messages', 3, 1_000],
])(
  '50 poison texts among 10,000, %s (seed %i), stay within the extra calls; a second run buys nothing',
  async (_name, seed, within) => {
    const world = makeWorld();
    const poison = choosePoison(seed, within);
    for (let index = 0; index < ROWS; index += 1) {
      const text = poison.has(index) ? `POISON ${index}` : `text ${index}`;
      putRow(world.twin, makeSpace(), String(index).padStart(5, '0'), text);
    }
    world.provider.script = request =>
      request.texts.some(text => text.startsWith('POISON'))
        ? failWith('item', 'http_400')
        : embedAll(request);

    const first = await runUntilFresh(toLocalRunPorts(world));
    const calls = world.provider.requests.length;
    const sent = new Set(world.provider.requests.flatMap(({ texts }) => texts));
    const second = await runUntilFresh(toLocalRunPorts(world));

    const table = spaceOf(world.twin, makeSpace());
    expect(first).toMatchObject({
      embedded: ROWS - POISON,
      failed: POISON,
      deadLetters: 0,
      providerCalls: calls,
    });
    expect(countOutcomes(table, 'embedded')).toBe(ROWS - POISON);
    expect(countOutcomes(table, 'refused:http_400')).toBe(POISON);
    // Of 15 per 100 texts, 1,500 calls in all, and 15 per culprit, 750: the lower one.
    expect(calls - MESSAGES).toBeLessThanOrEqual(Math.min(15 * MESSAGES, 15 * POISON));
    expect([...sent].filter(text => text !== 'Freshet')).toHaveLength(ROWS);
    expect(second.itemsDone - first.itemsDone).toBe(0);
    expect(world.provider.requests.length).toBe(calls);
  },
);
