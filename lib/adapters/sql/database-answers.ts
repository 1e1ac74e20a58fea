import type { Clock } from '../../ports/clock.ts';
import type { SqlDatabase } from './sql-database.ts';

/** Milliseconds to wait, longer than a dead connection takes to be found and replaced. */
const ANSWER_MS = 3_000;

/**
 * Tells whether the database gives a connection within three seconds.
 * The database asks idle connections itself before it gives them, and replaces those that died
 * while the function was frozen. It cannot replace a connection that is taken by a statement for
 * which nobody waits any more.
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
