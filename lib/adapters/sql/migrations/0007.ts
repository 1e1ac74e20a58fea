/**
 * Adds since when stale rows of a space wait without a lease.
 * NULL: the last look left none. Older code knows nothing of the column and leaves it as it is; the
 * first look of newer code sets it right.
 */
export const migration0007Waiting = {
  version: 7,
  compatibleFrom: 4,
  name: 'waiting',
  statements: ['ALTER TABLE freshet.positions ADD COLUMN unsent_since timestamptz'],
} as const;
