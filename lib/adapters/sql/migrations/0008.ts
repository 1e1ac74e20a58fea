/**
 * Adds what a call was expected to cost beside what it cost, and an index for sums of a period.
 * Older code leaves the estimate NULL, and a quote then learns nothing of that call.
 */
export const migration0008Estimates = {
  version: 8,
  compatibleFrom: 4,
  name: 'estimates',
  statements: [
    'ALTER TABLE freshet.ledger ADD COLUMN estimated_tokens bigint',
    'CREATE INDEX ledger_by_period ON freshet.ledger (recorded_at) INCLUDE (space_id, cost_usd)',
  ],
} as const;
