/**
 * Drops one of two indexes of the ledger that are the same: each call was entered into both.
 * Older code names no index, and its sums use the other one.
 */
export const migration0016OneIndex = {
  version: 16,
  compatibleFrom: 4,
  name: 'one-index',
  statements: ['DROP INDEX IF EXISTS freshet.ledger_by_period'],
} as const;
