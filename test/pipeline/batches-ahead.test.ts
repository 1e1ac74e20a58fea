import { describe, expect, test } from 'vitest';
import { countBatchesAhead } from '../../lib/local/batches-ahead.ts';
import { createRecentProgress } from '../../lib/local/run-tally.ts';
import { createVirtualClock } from '../doubles/virtual-clock.ts';

const limits = { batchSize: 100, concurrency: 4, maxInFlight: 100_000 };

describe('the batches that a run leases ahead', () => {
  test.each([
    ['the least before anything is finished', {}, 0, 24],
    ['the least of a slow run', {}, 400, 24],
    ['five times what was finished in the last second', {}, 861, 44],
    ['four times the least of a very fast run', {}, 50_000, 96],
    ['three for each of many workers', { concurrency: 40 }, 0, 120],
    ['half of what may be in flight', { maxInFlight: 10_000 }, 50_000, 50],
    ['the least where little may be in flight, which detect keeps to', { maxInFlight: 1_000 }, 50_000, 24],
  ])('are %s', (_, changes, finishedRows, batches) => {
    expect(countBatchesAhead({ ...limits, ...changes }, finishedRows)).toBe(batches);
  });
});

describe('the recent progress of a run', () => {
  test('is what was done in the last second, and in the first second what it comes to at that pace', async () => {
    const clock = createVirtualClock();
    const progress = createRecentProgress(clock, 700);
    const seen = [progress.finishedRows()];

    progress.note(800);
    seen.push(progress.finishedRows());
    await clock.sleep(600);
    progress.note(1_000);
    seen.push(progress.finishedRows());
    await clock.sleep(600);
    seen.push(progress.finishedRows());
    await clock.sleep(600);
    seen.push(progress.finishedRows());
    progress.note(1_500);
    seen.push(progress.finishedRows());

    expect(seen).toEqual([0, 500, 500, 200, 0, 500]);
  });
});
