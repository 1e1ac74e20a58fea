/**
 * Adds what vectors cost that were made for searches and clients, which are of no space.
 * `query_ledger` has the calls of one process and model that were written together; who writes an
 * entry again, because no answer came, writes it once. `query_spending` has its sums of the hours
 * that are over, so that entries need not be kept. The ledger has no such rows: older code adds it
 * up into `spending`, where every row is of a space. Older code counts no query against a cap.
 */
export const migration0014Queries = {
  version: 14,
  compatibleFrom: 4,
  name: 'queries',
  statements: [
    `CREATE TABLE freshet.query_ledger (
      entry_id uuid PRIMARY KEY,
      model_alias text NOT NULL,
      calls bigint NOT NULL,
      texts bigint NOT NULL,
      tokens bigint NOT NULL,
      cost_usd double precision NOT NULL,
      recorded_at timestamptz NOT NULL DEFAULT now()
    )`,
    'CREATE INDEX query_ledger_by_moment ON freshet.query_ledger (recorded_at) INCLUDE (cost_usd)',
    `CREATE TABLE freshet.query_spending (
      hour timestamptz NOT NULL,
      model_alias text NOT NULL,
      calls bigint NOT NULL,
      texts bigint NOT NULL,
      tokens bigint NOT NULL,
      cost_usd double precision NOT NULL,
      PRIMARY KEY (hour, model_alias)
    )`,
  ],
} as const;
