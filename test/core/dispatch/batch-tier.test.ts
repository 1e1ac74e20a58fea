import { expect, it } from 'vitest';
import { batchSizeForAttempts, MAX_ATTEMPTS } from '../../../lib/core/packing.ts';

it('sends rows in smaller batches once embedding them broke off twice', () => {
  const sizes = [0, 1, 2, 3, MAX_ATTEMPTS - 1].map(attempts => batchSizeForAttempts(attempts, 100));

  expect(sizes).toEqual([100, 100, 10, 1, 1]);
});

it('never sends more than the batch size', () => {
  expect(batchSizeForAttempts(2, 4)).toBe(4);
});
