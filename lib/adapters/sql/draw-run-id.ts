import { randomInt } from 'node:crypto';

/** Draws a run id: a positive 4-byte integer, as `pg_advisory_lock(int, int)` takes it. */
export function drawRunId(): number {
  return randomInt(1, 2 ** 31 - 1);
}
