/**
 * Creates the table of golden vectors, with one row per model as the model is configured.
 * `vectors` holds the vectors of all golden texts one after the other, float32 little-endian.
 */
export const migration0002GoldenVectors = {
  version: 2,
  compatibleFrom: 2,
  name: 'golden-vectors',
  statements: [
    `CREATE TABLE freshet.golden_vectors (
      model_fingerprint text NOT NULL,
      text_version integer NOT NULL,
      model_alias text NOT NULL,
      dimensions integer NOT NULL CHECK (dimensions > 0),
      vectors bytea NOT NULL,
      recorded_at timestamptz NOT NULL DEFAULT now(),
      agreed_at timestamptz NOT NULL DEFAULT now(),
      PRIMARY KEY (model_fingerprint, text_version)
    )`,
  ],
} as const;
