import type { LocalRunLimits } from './local-run-parts.ts';

/** Enough that detect looks seldom while a provider is slow, few enough that several runs find work side by side in a small table. */
const MIN_BATCHES_AHEAD = 24;
/** A run that works off more than this in a second looks more often than that. */
const MOST_TIMES_MIN = 4;
/** Of `maxInFlight`, which all runs share: another one finds room as well. */
const MOST_OF_IN_FLIGHT = 0.5;

/**
 * Batches that a run leases ahead of its workers: about as many as it works off in a second. Each look costs the database the same
 * however many rows it finds, and a run that finishes thousands of rows a second looks about once a second, which is as often as an edit needs.
 * `finishedRows` are those of the last second: the first look, and every look of a run that waits for its provider, takes the least.
 */
export function countBatchesAhead(
  { batchSize, concurrency, maxInFlight }: Pick<LocalRunLimits, 'batchSize' | 'concurrency' | 'maxInFlight'>,
  finishedRows: number,
): number {
  const least = Math.max(3 * concurrency, MIN_BATCHES_AHEAD);
  const most = Math.min(MOST_TIMES_MIN * least, Math.floor((MOST_OF_IN_FLIGHT * maxInFlight) / batchSize));
  return Math.max(least, Math.min(most, Math.ceil(finishedRows / batchSize)));
}
