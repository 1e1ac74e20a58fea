import type { SqlDatabase } from '../../lib/adapters/sql/database.ts';

interface StoppedClock {
  /** For statements by themselves: it is a transaction already. */
  readonly db: SqlDatabase;
  /** Takes back what was written. */
  readonly end: () => Promise<void>;
}

/**
 * Opens one transaction as a database, so that `now()` is one moment until it ends.
 *
 * However slow the machine is, no time passes between two statements of a test then.
 */
export async function stopClock(db: SqlDatabase): Promise<StoppedClock> {
  const transaction = await db.kysely.startTransaction().execute();
  return {
    db: { ...db, kysely: transaction },
    end: async () => {
      await transaction.rollback().execute();
    },
  };
}
