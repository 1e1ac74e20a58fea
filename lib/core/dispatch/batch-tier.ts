/** Unfinished embeddings of one version after which the row's outcome is `undelivered`. */
export const MAX_ATTEMPTS = 5;

/**
 * Rows per message, at most, for rows that were begun and not finished `attempts` times.
 * Messages shrink to 10 rows and then to one, so that a row that kills the process harms its
 * neighbours at most twice.
 */
export function batchSizeForAttempts(attempts: number, batchSize: number): number {
  if (attempts <= 0) return batchSize;
  return attempts === 1 ? Math.min(10, batchSize) : 1;
}
