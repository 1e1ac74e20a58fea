/**
 * Adds the texts that the service is given, in place of a table of the application's.
 * `documents` is a source like any other: the pipeline reads it. `document_texts` holds the text of
 * a document apart from its row, so that a text can go without a change of the row. `document_jobs`
 * says by which id a client asks for a submission, `erasures` what was to be erased, and when no
 * writer can bring a vector back. Older code knows none of the four.
 */
export const migration0013Documents = {
  version: 13,
  compatibleFrom: 4,
  name: 'documents',
  statements: [
    `CREATE TABLE freshet.documents (
      tenant text COLLATE "C" NOT NULL,
      asset_id text COLLATE "C" NOT NULL,
      segment_id text COLLATE "C" NOT NULL,
      document bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
      metadata jsonb NOT NULL DEFAULT '{}',
      text_hash text COLLATE "C" NOT NULL,
      updated_at timestamptz NOT NULL,
      PRIMARY KEY (tenant, asset_id, segment_id)
    )`,
    `CREATE INDEX documents_by_change
       ON freshet.documents (updated_at, tenant, asset_id, segment_id)`,
    `CREATE TABLE freshet.document_texts (
      document bigint NOT NULL REFERENCES freshet.documents (document) ON DELETE CASCADE,
      text_hash text COLLATE "C" NOT NULL,
      text text NOT NULL,
      PRIMARY KEY (document, text_hash)
    )`,
    `CREATE TABLE freshet.document_jobs (
      job_id text COLLATE "C" PRIMARY KEY,
      document bigint NOT NULL REFERENCES freshet.documents (document) ON DELETE CASCADE,
      text_hash text COLLATE "C" NOT NULL,
      model_alias text NOT NULL,
      requested_at timestamptz NOT NULL DEFAULT now()
    )`,
    'CREATE INDEX document_jobs_of_document ON freshet.document_jobs (document)',
    `CREATE TABLE freshet.erasures (
      receipt_id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
      tenant text COLLATE "C" NOT NULL,
      asset_id text COLLATE "C" NOT NULL,
      segment_id text COLLATE "C",
      text_hashes text[] NOT NULL,
      vectors integer NOT NULL DEFAULT 0,
      requested_at timestamptz NOT NULL DEFAULT now(),
      erased_at timestamptz,
      completed_at timestamptz
    )`,
    `CREATE INDEX erasures_pending ON freshet.erasures (tenant, asset_id)
      WHERE completed_at IS NULL`,
  ],
} as const;
