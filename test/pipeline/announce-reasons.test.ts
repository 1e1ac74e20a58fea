import { expect, test } from 'vitest';
import { announceReasons } from '../../lib/local/announce-reasons.ts';
import { createRunTally } from '../../lib/local/run-tally.ts';
import type { ObservedReason } from '../../lib/ports/process.ts';
import { createVirtualClock } from '../doubles/virtual-clock.ts';

const reasonOf = (code: string): ObservedReason => ({ failureClass: 'transient', code, message: '' });

function open() {
  const told: string[] = [];
  const stop = new AbortController();
  const onWaiting = ({ code }: ObservedReason) => told.push(code);
  const tally = createRunTally(createVirtualClock());
  const announced = new Set<string>();
  const announcing = () => announceReasons(tally, { onWaiting, signal: stop.signal }, announced);
  return { told, stop, tally, announcing };
}

test('a reason is told once, however many looks a run takes', () => {
  const { told, announcing } = open();

  for (const tally of [announcing(), announcing()]) {
    tally.postponed(1, 30, reasonOf('rate_limit'));
    tally.recordFailed(reasonOf('unclassified'));
  }

  expect(told).toEqual(['rate_limit', 'unclassified']);
});

test('rows that are sent again at once wait for nothing, and are counted as given back', () => {
  const { told, announcing, tally } = open();

  announcing().postponed(1, 0, reasonOf('out_of_time'));

  expect(told).toEqual([]);
  expect(tally.lastReason()).toEqual(reasonOf('out_of_time'));
});

test('a run that is told to stop waits for nothing', () => {
  const { told, announcing, stop } = open();
  stop.abort();

  announcing().postponed(1, 30, reasonOf('rate_limit'));
  announcing().recordFailed(reasonOf('unclassified'));

  expect(told).toEqual([]);
});
