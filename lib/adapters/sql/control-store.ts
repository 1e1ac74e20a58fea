import { randomBytes } from 'node:crypto';
import { sql } from 'kysely';
import { classifyDatabaseFailure } from '../../core/failures.ts';
import type { ControlStore, PauseReason, ProbeClaims } from '../../ports/control-store.ts';
import type { SqlDatabase } from './database.ts';
import { prepared } from './fragments.ts';

export function createControlStore(db: SqlDatabase): ControlStore {
  return {
    async pause(scope, reason, detail) {
      await db.kysely
        .insertInto('freshet.control')
        .values({ scope, reason, detail })
        .onConflict(conflict =>
          // A pause that is renewed keeps its beginning.
          conflict
            .columns(['scope', 'reason'])
            .doUpdateSet({ detail })
            .where('freshet.control.detail', '<>', detail),
        )
        .execute();
    },
    async resume(scope, reason) {
      await db.kysely
        .deleteFrom('freshet.control')
        .where('scope', '=', scope)
        .where('reason', '=', reason)
        .execute();
    },
    async reasons(scope) {
      const ofScope = scope === undefined ? sql`` : sql` WHERE scope = ${scope}`;
      const { rows } = await sql<PauseReason>`${prepared}
        SELECT scope, reason, detail, since::text AS since FROM freshet.control${ofScope}
         ORDER BY control.since, scope, reason`.execute(db.kysely);
      return rows;
    },
  };
}

export function createProbeClaims(db: SqlDatabase): ProbeClaims {
  return {
    async claim(scope, reason, intervalSeconds) {
      const { rows } = await sql`
        UPDATE freshet.control SET probed_at = now()
         WHERE scope = ${scope}::text AND reason = ${reason}::text
           AND coalesce(probed_at, since) <= now() - interval '1 second' * ${intervalSeconds}::float8
        RETURNING 1`.execute(db.kysely);
      return rows.length > 0;
    },
  };
}

/**
 * Rejects where the server answers and refuses every write.
 * The server then is a replica after a failover, or was set to read-only.
 * @throws FreshetError of class `stop` with code `sqlstate_25006`.
 */
export async function requireWritable(db: SqlDatabase): Promise<void> {
  const { rows } = await sql<{ writable: boolean }>`
    SELECT NOT pg_is_in_recovery() AND current_setting('transaction_read_only') = 'off' AS writable`.execute(
    db.kysely,
  );
  if (rows[0]?.writable !== true) throw classifyDatabaseFailure({ sqlState: '25006' });
}

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
