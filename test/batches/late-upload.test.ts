import { expect, test } from 'vitest';
import { makeBatchSpace, openBatchWorld } from './batch-world.ts';

const HOUR_MS = 3_600_000;

test.each(['well', 'lost-answer'] as const)(
  'a file that a thawed process uploads (%s) after its batch was given up is deleted, and nothing is created of it',
  async upload => {
    let isThawed = false;
    const requestFate = (request: string) => (isThawed && request === 'upload' ? upload : 'well');
    const fateOf = () => ({ polls: 0, end: 'completed' }) as const;
    const world = await openBatchWorld(1, fateOf, makeBatchSpace(), { requestFate });
    try {
      world.put('1', 'there for long', 2 * HOUR_MS);
      await world.work();
      const thaw = await world.freezeTick();
      for (let look = 0; look < 3; look += 1) {
        world.advance(HOUR_MS);
        await world.tick();
      }
      const batchesOf = () =>
        [...world.twin.batches.values()].map(({ state, outcome }) => ({ state, outcome }));
      const ended = [
        { state: 'ended', outcome: 'never-created' },
        { state: 'ended', outcome: 'completed' },
      ];
      expect(batchesOf()).toEqual(ended);

      isThawed = true;
      await thaw();
      expect(world.service.files.size).toBe(1);
      isThawed = false;
      world.advance(60_000);
      await world.tick();

      expect(world.service.files.size).toBe(0);
      expect(world.service.batches).toHaveLength(1);
      expect(batchesOf()).toEqual(ended);
    } finally {
      await world.close();
    }
  },
);
