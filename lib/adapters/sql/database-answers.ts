import { sql } from 'kysely';
import type { Clock } from '../../ports/clock.ts';
import type { SqlDatabase } from './sql-database.ts';

/** A statement of no cost takes milliseconds; a connection that died while the function was frozen takes minutes to say so. */
const ANSWER_MS = 3_000;

/**
 * Whether the database answers within three seconds. A connection that was closed meanwhile fails the first statement and is out of the pool then;
 * the second one opens another. One that swallows the statement is told by the time, and takes the whole pool with it.
 */
export async function answers({ kysely }: SqlDatabase, clock: Clock): Promise<boolean> {
  const ask = async () => {
    await sql`SELECT 1`.execute(kysely);
    return true;
  };
  const asked = ask()
    .catch(ask)
    .catch(() => false);
  const decided = new AbortController();
  try {
    return await Promise.race([asked, clock.sleep(ANSWER_MS, decided.signal).then(() => false)]);
  } finally {
    decided.abort();
  }
}
