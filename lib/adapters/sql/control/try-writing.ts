import { randomBytes } from 'node:crypto';
import type { SqlDatabase } from '../sql-database.ts';

/**
 * Bytes of the probe, more than any table has free room for.
 * A server whose disk is full accepts small changes long after it refuses to let a table grow.
 */
const PROBE_BYTES = 1_000_000;

class Undone extends Error {}

/**
 * Writes about a megabyte into a table of Freshet's and takes the write back.
 * @throws FreshetError with what the database says to the write.
 */
export async function tryWriting(db: SqlDatabase): Promise<void> {
  const detail = randomBytes(PROBE_BYTES / 2).toString('hex');
  try {
    await db.kysely.transaction().execute(async transaction => {
      await transaction
        .insertInto('freshet.control')
        .values({ scope: 'probe', reason: 'database', detail })
        .execute();
      throw new Undone();
    });
  } catch (error) {
    if (!(error instanceof Undone)) throw error;
  }
}
