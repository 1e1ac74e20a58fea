import type { Clock } from '../../ports/clock.ts';
import type { SqlDatabase } from './sql-database.ts';

/** Longer than it takes to find a dead connection and to make another one. */
const ANSWER_MS = 3_000;

/**
 * Whether the database gives a connection within three seconds. It asks the idle ones itself before it gives them, and replaces those that died
 * while the function was frozen; what it cannot replace is one that is taken by a statement nobody waits for any more.
 */
export async function answers({ kysely }: SqlDatabase, clock: Clock): Promise<boolean> {
  const taken = kysely
    .connection()
    .execute(async () => true)
    .catch(() => false);
  const decided = new AbortController();
  try {
    return await Promise.race([taken, clock.sleep(ANSWER_MS, decided.signal).then(() => false)]);
  } finally {
    decided.abort();
  }
}
