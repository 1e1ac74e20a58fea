import { sql } from 'kysely';
import type { ControlStore } from '../../../ports/control-store.ts';
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
      return db.kysely
        .selectFrom('freshet.control')
        .select(['scope', 'reason', 'detail', sql<string>`since::text`.as('since')])
        .$if(scope !== undefined, query => query.where('scope', '=', scope ?? ''))
        .orderBy('freshet.control.since')
        .orderBy('scope')
        .orderBy('reason')
        .execute();
    },
  };
}
