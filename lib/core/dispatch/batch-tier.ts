/** From this many begun and unfinished embeddings on, a row's outcome is `undelivered` for its version. */
export const MAX_ATTEMPTS = 5;

/** Rows per message: a row that kills the process harms its neighbours twice at most. */
export function batchSizeForAttempts(attempts: number, batchSize: number): number {
  if (attempts <= 0) return batchSize;
  return attempts === 1 ? Math.min(10, batchSize) : 1;
}
