import { type Kysely, sql } from 'kysely';
import type { FreshetTables } from './freshet-tables.ts';

/**
 * One outcome row per source row. `item_id` and `source_version` have the source columns' own types (key and version types come from
 * `format_type`, never from configuration). `source_version` is not indexed and a fifth of each page stays free, so that a touch is a
 * HOT update even beside an HNSW index; the default EXTERNAL storage of `embedding` is part of that (measured: PLAIN gives 0 HOT of 188).
 */
export async function createVectorTable(
  db: Kysely<FreshetTables>,
  shape: {
    readonly vectorTable: string;
    readonly keyType: string;
    /** Schema-qualified and quoted collation of the key column; null for types that have none. */
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
