import { type Kysely, sql } from 'kysely';
import type { FreshetTables } from './freshet-tables.ts';

/**
 * Creates the vector table of a space, which holds one outcome row per source row.
 * `item_id` and `source_version` have the source columns' own types. Key and version types come
 * from `format_type`, never from configuration.
 * A touch must be a HOT update, even beside an HNSW index. Therefore `source_version` is not
 * indexed, a fifth of each page stays free, and `embedding` keeps the default storage EXTERNAL
 * (measured: with PLAIN, 0 of 188 updates are HOT).
 */
export async function createVectorTable(
  db: Kysely<FreshetTables>,
  shape: {
    readonly vectorTable: string;
    readonly keyType: string;
    /** Collation of the key column, schema-qualified and quoted; null for types that have none. */
    readonly keyCollation: string | null;
    readonly versionType: string;
    readonly dimensions: number;
  },
): Promise<void> {
  const table = sql.id('freshet', shape.vectorTable);
  const collation = shape.keyCollation === null ? sql`` : sql`COLLATE ${sql.raw(shape.keyCollation)}`;
  await sql`CREATE TABLE ${table} (
    item_id ${sql.raw(shape.keyType)} ${collation} NOT NULL,
    chunk smallint NOT NULL DEFAULT 0,
    outcome text NOT NULL,
    content_hash bytea,
    source_version ${sql.raw(shape.versionType)},
    source_xid xid,
    read_at timestamptz NOT NULL,
    text_length integer NOT NULL DEFAULT 0,
    kept_length integer NOT NULL DEFAULT 0,
    tokens integer NOT NULL DEFAULT 0,
    embedding vector(${sql.raw(String(shape.dimensions))}),
    embedded_at timestamptz,
    missing_since timestamptz,
    PRIMARY KEY (item_id, chunk),
    CHECK ((outcome = 'embedded') = (embedding IS NOT NULL))
  ) WITH (fillfactor = 80)`.execute(db);
  await sql`CREATE INDEX ${sql.id(`${shape.vectorTable}_by_content_hash`)} ON ${table} (content_hash)`.execute(
    db,
  );
}
