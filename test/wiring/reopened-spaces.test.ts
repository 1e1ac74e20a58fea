import { expect, test } from 'vitest';
import type { Space } from '../../lib/core/model.ts';
import { createReopenedSpaces } from '../../lib/wiring/lambda-ports.ts';
import { createVirtualClock } from '../doubles/virtual-clock.ts';
import { makeSpace } from '../factories/space.ts';

function makeRegistry(spaces: Space[]) {
  const clock = createVirtualClock();
  const state = { opened: 0, failing: false };
  const open = async () => {
    if (state.failing) throw new Error('database');
    state.opened += 1;
    const held = [...spaces];
    return { list: async () => held, find: async (id: number) => held.find(({ spaceId }) => spaceId === id) };
  };
  return { clock, state, spaces, registry: createReopenedSpaces(open, clock) };
}

test('spaces are opened once for many questions, and anew after five minutes', async () => {
  const { registry, state, clock } = makeRegistry([makeSpace()]);

  await registry.list();
  await registry.find(makeSpace().spaceId);
  expect(state.opened).toBe(1);
  clock.advance(301_000);
  await registry.list();
  expect(state.opened).toBe(2);
});

test('a space that was made a moment ago is found', async () => {
  const { registry, spaces, clock } = makeRegistry([makeSpace()]);
  await registry.list();
  spaces.push(makeSpace({ spaceId: 7 }));
  clock.advance(11_000);

  expect(await registry.find(7)).toMatchObject({ spaceId: 7 });
});

test('messages of a space that is gone do not have the spaces opened for each', async () => {
  const { registry, state } = makeRegistry([makeSpace()]);

  for (let message = 0; message < 20; message += 1) expect(await registry.find(99)).toBeUndefined();

  expect(state.opened).toBe(1);
});

test('a failure is the answer, and the next question opens again', async () => {
  const { registry, state } = makeRegistry([makeSpace()]);
  state.failing = true;
  await expect(registry.list()).rejects.toThrow('database');

  state.failing = false;
  expect(await registry.list()).toHaveLength(1);
});

test('questions that come together open the spaces once, also where that fails', async () => {
  const { registry, state } = makeRegistry([makeSpace()]);
  await Promise.all([registry.list(), registry.find(99), registry.list()]);
  expect(state.opened).toBe(1);

  const other = makeRegistry([makeSpace()]);
  other.state.failing = true;
  const answers = await Promise.allSettled([other.registry.list(), other.registry.list()]);
  expect(answers.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  other.state.failing = false;
  expect(await other.registry.list()).toHaveLength(1);
});
