import { randomInt } from 'node:crypto';

/** A fresh run id: positive and within a 4-byte integer, as `pg_advisory_lock(int, int)` takes it. */
export function drawRunId(): number {
  return randomInt(1, 2 ** 31 - 1);
}
