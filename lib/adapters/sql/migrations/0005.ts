/**
 * Adds what was learned of servers, and what a grant tells of its process.
 * `paces` has one row per model: what every worker obeys. NULL there: nothing limits. `in_flight`
 * maps the turns that are taken to the second, since the epoch, at which each frees itself.
 *
 * A grant knows its run (NULL: a Lambda), its dispatch and the rows of its call. `lost_at` says
 * when its process was found dead. Grants of older code have none of these.
 */
export const migration0005Paces = {
  version: 5,
  compatibleFrom: 4,
  name: 'paces',
  statements: [
    `CREATE TABLE freshet.paces (
      model_alias text PRIMARY KEY,
      texts_per_call integer CHECK (texts_per_call > 0),
      calls_at_once integer CHECK (calls_at_once > 0),
      seconds_per_token double precision,
      in_flight jsonb NOT NULL DEFAULT '{}',
      changed_at timestamptz NOT NULL DEFAULT now()
    ) WITH (fillfactor = 50)`,
    `ALTER TABLE freshet.grants
       ADD COLUMN run_id integer,
       ADD COLUMN dispatch_id uuid,
       ADD COLUMN item_ids text[],
       ADD COLUMN lost_at timestamptz`,
  ],
} as const;
