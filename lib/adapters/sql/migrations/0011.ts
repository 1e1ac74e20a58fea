/**
 * Adds to the row of a model what its provider allows a minute, and how much of that is taken.
 * Times are seconds since the epoch. Older code knows nothing of the columns: it makes calls that
 * no rate counts.
 */
export const migration0011Rates = {
  version: 11,
  compatibleFrom: 4,
  name: 'rates',
  statements: [
    `ALTER TABLE freshet.paces
       ADD COLUMN IF NOT EXISTS requests_per_minute double precision,
       ADD COLUMN IF NOT EXISTS tokens_per_minute double precision,
       ADD COLUMN IF NOT EXISTS requests_due double precision,
       ADD COLUMN IF NOT EXISTS tokens_due double precision,
       ADD COLUMN IF NOT EXISTS rate_share double precision NOT NULL DEFAULT 1,
       ADD COLUMN IF NOT EXISTS throttled_at double precision,
       ADD COLUMN IF NOT EXISTS waits_until double precision,
       ADD COLUMN IF NOT EXISTS fresh_waits_until double precision,
       ADD COLUMN IF NOT EXISTS fresh_slots_until double precision,
       ADD COLUMN IF NOT EXISTS bulk_slots_until double precision`,
  ],
} as const;
