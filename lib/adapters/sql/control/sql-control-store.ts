import { sql } from 'kysely';
import type { ControlStore, PauseReason } from '../../../ports/control-store.ts';
import { prepared } from '../prepared.ts';
import type { SqlDatabase } from '../sql-database.ts';

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
