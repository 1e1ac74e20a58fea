/**
 * Creates the tables of schema `freshet`.
 * Content hashes are `bytea`. Item ids in `leases` are text, because the table serves sources with
 * different key types; vector tables have the source's own type.
 *
 * `leases` is unlogged: a crash of the database empties it, and the reconcile pass finds again what
 * was on its way. `leases` has no index beside its key, so that every change of stage stays a HOT
 * update.
 */
export const migration0001Schema = {
  version: 1,
  compatibleFrom: 1,
  name: 'schema',
  statements: [
    `CREATE TABLE freshet.spaces (
      space_id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
      fingerprint text NOT NULL UNIQUE,
      source_name text NOT NULL,
      model_alias text NOT NULL,
      provider text NOT NULL,
      model_id text NOT NULL,
      revision text NOT NULL,
      dimensions integer NOT NULL CHECK (dimensions > 0),
      recipe text NOT NULL,
      table_oid bigint NOT NULL,
      table_schema text NOT NULL,
      table_name text NOT NULL,
      key_column text NOT NULL,
      key_type text NOT NULL,
      version_column text NOT NULL,
      version_type text NOT NULL,
      status text NOT NULL CHECK (status IN ('building', 'active', 'retired')),
      created_at timestamptz NOT NULL DEFAULT now(),
      activated_at timestamptz
    )`,
    'CREATE UNIQUE INDEX spaces_one_active_per_source ON freshet.spaces (source_name) ' +
      "WHERE status = 'active'",
    `CREATE TABLE freshet.positions (
      space_id integer PRIMARY KEY REFERENCES freshet.spaces,
      watermark text,
      reconcile_cursor text,
      pass_started_at timestamptz,
      last_pass_started_at timestamptz,
      last_pass_ended_at timestamptz
    )`,
    `CREATE UNLOGGED TABLE freshet.leases (
      space_id integer NOT NULL,
      item_id text NOT NULL COLLATE "C",
      dispatch_id uuid NOT NULL,
      lane text NOT NULL CHECK (lane IN ('fresh', 'bulk')),
      stage text NOT NULL CHECK (stage IN ('sending', 'queued', 'embedding', 'announced')),
      attempts smallint NOT NULL DEFAULT 0,
      run_id integer,
      first_seen timestamptz NOT NULL DEFAULT now(),
      expires_at timestamptz NOT NULL,
      PRIMARY KEY (space_id, item_id)
    ) WITH (fillfactor = 50)`,
    `CREATE TABLE freshet.failures (
      space_id integer NOT NULL REFERENCES freshet.spaces,
      content_hash bytea NOT NULL,
      failure_class text NOT NULL,
      code text NOT NULL,
      attempts integer NOT NULL DEFAULT 1,
      first_at timestamptz NOT NULL DEFAULT now(),
      last_at timestamptz NOT NULL DEFAULT now(),
      PRIMARY KEY (space_id, content_hash)
    )`,
    `CREATE TABLE freshet.ledger (
      call_id uuid PRIMARY KEY,
      space_id integer NOT NULL REFERENCES freshet.spaces,
      model_alias text NOT NULL,
      lane text NOT NULL,
      items integer NOT NULL,
      unique_texts integer NOT NULL,
      tokens bigint NOT NULL,
      cost_usd double precision NOT NULL,
      latency_ms double precision NOT NULL,
      outcome text NOT NULL,
      request_id text,
      run_id integer,
      recorded_at timestamptz NOT NULL DEFAULT now()
    )`,
    `CREATE INDEX ledger_by_time ON freshet.ledger (space_id, recorded_at)`,
    `CREATE TABLE freshet.grants (
      call_id uuid PRIMARY KEY,
      space_id integer NOT NULL REFERENCES freshet.spaces,
      model_alias text NOT NULL,
      estimated_tokens bigint NOT NULL,
      estimated_cost_usd double precision NOT NULL,
      granted_at timestamptz NOT NULL DEFAULT now()
    )`,
    `CREATE TABLE freshet.control (
      scope text NOT NULL,
      reason text NOT NULL,
      detail text NOT NULL DEFAULT '',
      since timestamptz NOT NULL DEFAULT now(),
      PRIMARY KEY (scope, reason)
    )`,
  ],
} as const;
