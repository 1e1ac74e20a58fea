/**
 * Adds the batch lane: texts that wait for a batch, the batches, and what a lease waits for.
 * `batch_texts` has one row per text of a space that no vector table has yet: `collected` (to be
 * submitted), `open` (in a batch), `ready` (its vector came) or `live` (bought by a call instead).
 * `paid` says that a batch answered for the text, so that no answer is counted twice. `beside` says
 * that an edit bought the text while it stood in a batch.
 *
 * `file_ids` of a batch are the provider's files that are still to be deleted.
 */
export const migration0009Batches = {
  version: 9,
  compatibleFrom: 4,
  name: 'batches',
  statements: [
    `CREATE TABLE freshet.batches (
      batch_id uuid PRIMARY KEY,
      space_id integer NOT NULL REFERENCES freshet.spaces,
      model_alias text NOT NULL,
      state text NOT NULL CHECK (state IN ('submitting', 'open', 'settled', 'ended')),
      provider_batch_id text,
      input_file_id text,
      file_ids text[] NOT NULL DEFAULT '{}',
      texts integer NOT NULL,
      tokens bigint NOT NULL,
      usd_per_million_tokens double precision NOT NULL,
      dimensions integer NOT NULL,
      normalized boolean NOT NULL,
      outcome text,
      created_at timestamptz NOT NULL DEFAULT now(),
      fenced_at timestamptz,
      cancelled_at timestamptz,
      released_at timestamptz,
      ended_at timestamptz,
      looks_at_end integer NOT NULL DEFAULT 0,
      next_look_at timestamptz NOT NULL
    ) WITH (fillfactor = 70)`,
    "CREATE INDEX batches_unfinished ON freshet.batches (model_alias) WHERE state <> 'ended'",
    `CREATE TABLE freshet.batch_texts (
      space_id integer NOT NULL REFERENCES freshet.spaces,
      content_hash bytea NOT NULL,
      state text NOT NULL DEFAULT 'collected' CHECK (state IN ('collected', 'open', 'ready', 'live')),
      item_id text NOT NULL COLLATE "C",
      tokens integer NOT NULL,
      batch_id uuid,
      paid boolean NOT NULL DEFAULT false,
      beside boolean NOT NULL DEFAULT false,
      vector bytea,
      collected_at timestamptz NOT NULL DEFAULT now(),
      changed_at timestamptz NOT NULL DEFAULT now(),
      PRIMARY KEY (space_id, content_hash)
    ) WITH (fillfactor = 70)`,
    'CREATE INDEX batch_texts_of_batch ON freshet.batch_texts (batch_id) WHERE batch_id IS NOT NULL',
    'CREATE INDEX batch_texts_collected ON freshet.batch_texts (space_id, collected_at) ' +
      "WHERE state = 'collected'",
    `CREATE TABLE freshet.batch_holds (
      model_alias text PRIMARY KEY,
      until timestamptz NOT NULL,
      code text NOT NULL
    )`,
    'ALTER TABLE freshet.leases ADD COLUMN waits_for bytea, ADD COLUMN waits_version text',
    'CREATE INDEX leases_waiting ON freshet.leases (space_id, waits_for) WHERE waits_for IS NOT NULL',
  ],
} as const;
