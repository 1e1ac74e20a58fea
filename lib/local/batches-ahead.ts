import type { LocalRunLimits } from './run-ports.ts';

/**
 * The least batches that a run leases ahead.
 * They are enough that `detect` looks seldom while a provider is slow. They are few enough that
 * several runs find work side by side in a small table.
 */
const MIN_BATCHES_AHEAD = 24;
/** How many times the least a run leases ahead at most. */
const MOST_TIMES_MIN = 4;
/**
 * Seconds of work that a run leases ahead.
 * Where no index serves a look, it reads the whole table, however many rows it finds. More seconds
 * would let several runs end at different times.
 */
const SECONDS_AHEAD = 5;
/**
 * The share of `maxInFlight` that one run leases at most.
 * All runs share `maxInFlight`, so that another run finds room too.
 */
const MOST_OF_IN_FLIGHT = 0.5;

/**
 * Counts the batches that a run leases ahead: about as many as it works off in five seconds.
 * Edits do not wait for that: they are looked for each second, and go first. While more rows
 * changed than were leased, they wait until these are worked off: the next round leases the oldest
 * first.
 * `finishedRows` are the rows of the last second. Where they are 0, as at the first look and while
 * a run waits for its provider, the answer is the least.
 */
export function countBatchesAhead(
  { batchSize, concurrency, maxInFlight }: Pick<LocalRunLimits, 'batchSize' | 'concurrency' | 'maxInFlight'>,
  finishedRows: number,
): number {
  const least = Math.max(3 * concurrency, MIN_BATCHES_AHEAD);
  const most = Math.min(MOST_TIMES_MIN * least, Math.floor((MOST_OF_IN_FLIGHT * maxInFlight) / batchSize));
  return Math.max(least, Math.min(most, Math.ceil((SECONDS_AHEAD * finishedRows) / batchSize)));
}
