import type { ResetStore } from '../../../ports/reset-store.ts';
import type { SqlDatabase } from '../sql-database.ts';
import { planReset } from './plan-reset.ts';
import { resetOutcomes } from './reset-outcomes.ts';

export function createResetStore(db: SqlDatabase): ResetStore {
  return {
    plan: (space, selection) => planReset(db, space, selection),
    reset: (space, selection, batch) => resetOutcomes(db, space, selection, batch),
  };
}
