import { describe, expect, test } from 'vitest';
import { createLazyHandler } from '../../functions/lambda.ts';
import { makeContext } from '../factories/lambda-event.ts';

/** A wiring that tells what became of it. */
function makeWiring() {
  const state = { opened: 0, closed: 0, alive: true, failing: false };
  const wire = async () => {
    if (state.failing) throw new Error('not wired');
    state.opened += 1;
    return {
      ports: { number: state.opened },
      isAlive: async () => state.alive,
      close: async () => {
        state.closed += 1;
      },
    };
  };
  const handler = createLazyHandler(wire, ports => async (event: string) => `${event} on ${ports.number}`);
  return { state, invoke: (event: string) => handler(event, makeContext()) };
}

describe('a handler that is wired at its first event', () => {
  test('opens nothing before, and once for many', async () => {
    const { state, invoke } = makeWiring();
    expect(state.opened).toBe(0);

    expect(await invoke('first')).toBe('first on 1');
    expect(await invoke('second')).toBe('second on 1');
  });

  test('rejects while it cannot be wired and remembers no failure', async () => {
    const { state, invoke } = makeWiring();
    state.failing = true;
    await expect(invoke('first')).rejects.toThrow('not wired');
    await expect(invoke('first')).rejects.toThrow('not wired');

    state.failing = false;
    expect(await invoke('first')).toBe('first on 1');
  });

  test('closes what no longer answers after a freeze and opens anew', async () => {
    const { state, invoke } = makeWiring();
    await invoke('first');
    state.alive = false;

    expect(await invoke('second')).toBe('second on 2');
    expect(state.closed).toBe(1);
  });

  test('forgets what no longer answers also where nothing can be opened in its place', async () => {
    const { state, invoke } = makeWiring();
    await invoke('first');
    Object.assign(state, { alive: false, failing: true });
    await expect(invoke('second')).rejects.toThrow('not wired');

    Object.assign(state, { alive: true, failing: false });
    expect(await invoke('third')).toBe('third on 2');
  });
});
