import { expect, it } from 'vitest';
import { runUntilFresh } from '../../lib/local/run-until-fresh.ts';
import type { EmbedReply, EmbedRequest } from '../../lib/ports/provider.ts';
import { embedAll, failWith } from '../doubles/scripted-provider.ts';
import { countOutcomes, putRow } from '../factories/logged-twin.ts';
import { makeSpace } from '../factories/space.ts';
import { makeWorld } from '../factories/world.ts';
import { spaceOf } from '../twin/twin-database.ts';
import { buyTexts, toLocalRunPorts } from './run-world.ts';

const isBlocked = (text: string) => text.includes('<script>');
const blockOne = (request: EmbedRequest): EmbedReply =>
  request.texts.some(isBlocked) ? failWith('item', 'foreign_403') : embedAll(request);
const hundred = (blocked: number) =>
  Array.from({ length: 100 }, (_, place) => (place === blocked ? '<script>' : `text ${place}`));

it('lets a firewall that refuses one text of 250 hold up no other row', async () => {
  const world = makeWorld();
  for (let row = 1; row <= 250; row += 1) {
    putRow(world.twin, makeSpace(), String(row).padStart(3, '0'), row === 105 ? '<script>' : `text ${row}`);
  }
  world.provider.script = blockOne;

  const first = await runUntilFresh(toLocalRunPorts(world));
  const calls = world.provider.requests.length;
  await runUntilFresh(toLocalRunPorts(world));

  expect(first).toMatchObject({ embedded: 249, failed: 1 });
  expect(countOutcomes(spaceOf(world.twin, makeSpace()), 'refused:foreign_403')).toBe(1);
  expect(await world.embedPorts.control.reasons()).toEqual([]);
  expect(world.provider.requests.length, 'a second run buys nothing').toBe(calls);
});

it.each(Array.from({ length: 100 }, (_, place) => place))(
  'finds the one text that a firewall refuses within one delivery, wherever it stands (%i)',
  async blocked => {
    const world = makeWorld();
    world.provider.script = blockOne;

    const { results, ended } = await buyTexts(world, hundred(blocked));

    expect(ended).toBeUndefined();
    expect(results.get(blocked)).toEqual({ kind: 'refused', code: 'foreign_403' });
    expect([...results.values()].filter(({ kind }) => kind === 'vector')).toHaveLength(99);
  },
);

it('stops, and blames no text, where a harmless text is refused too', async () => {
  const world = makeWorld();
  world.provider.script = () => failWith('item', 'foreign_403');

  const { results, ended } = await buyTexts(world, hundred(3));

  expect(results.size).toBe(0);
  expect(ended).toMatchObject({
    failureClass: 'stop',
    code: 'foreign_403',
    message:
      'Something before the provider, such as a firewall or a proxy, refuses every text (foreign_403): ' +
      'check the address (baseUrl), and ask whoever runs it to let the calls pass.',
  });
});

it.each([1, 2, 3, 4])(
  'blames no text where a firewall begins to refuse everything after %i calls',
  async calls => {
    const world = makeWorld([makeSpace()], 20);
    let made = 0;
    world.provider.script = request => {
      made += 1;
      return made > calls ? failWith('item', made % 2 ? 'foreign_403' : 'foreign_406') : blockOne(request);
    };

    const { results, ended } = await buyTexts(world, hundred(-1));

    expect(ended).toMatchObject({ failureClass: 'stop' });
    expect([...results.values()].filter(({ kind }) => kind !== 'vector')).toEqual([]);
  },
);
