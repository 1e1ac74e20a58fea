/**
 * Adds sums of what was spent, and when the rate of a model was last granted and obeyed.
 * `spending` has one row per space and hour that is over: a cap adds these up, and of the ledger
 * only what came since. Each grant asks for that sum, and a month has a million rows of the ledger.
 * Older code adds up the whole ledger, with the same result.
 *
 * `granted_at` of a pace tells a clock that stepped back from a rate that is owed. Seconds since
 * the epoch; NULL: nothing was granted yet, or by older code. `answered_at` is when a call was last
 * answered rightly: refusals since then are one.
 */
export const migration0012Spending = {
  version: 12,
  compatibleFrom: 4,
  name: 'spending',
  statements: [
    `CREATE TABLE IF NOT EXISTS freshet.spending (
      hour timestamptz NOT NULL,
      space_id integer NOT NULL REFERENCES freshet.spaces,
      cost_usd double precision NOT NULL,
      PRIMARY KEY (hour, space_id)
    )`,
    `CREATE INDEX IF NOT EXISTS ledger_by_moment ON freshet.ledger (recorded_at)
       INCLUDE (space_id, cost_usd)`,
    `ALTER TABLE freshet.paces
       ADD COLUMN IF NOT EXISTS granted_at double precision,
       ADD COLUMN IF NOT EXISTS answered_at double precision`,
  ],
} as const;
