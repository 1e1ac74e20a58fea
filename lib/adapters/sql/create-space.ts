import { type Kysely, sql, type Transaction } from 'kysely';
import { formatPath } from '../../core/config/describe-issues.ts';
import { UsageError } from '../../core/errors.ts';
import type { KeyColumn, ResolvedSource, VectorStorage } from '../../core/model.ts';
import { type FreshetTables, type SpaceRow, vectorTableOf } from './freshet-tables.ts';
import { joinNames, storedColumn } from './key-columns.ts';
import type { SpaceBinding } from './open-spaces.ts';
import { hasHashedRows, rowVersionType } from './quote-space.ts';

/** Creates a space that was never configured before, with an empty vector table and position. */
export async function createSpace(
  transaction: Transaction<FreshetTables>,
  { fingerprint, recipe, source, model }: SpaceBinding,
): Promise<SpaceRow> {
  const row = await transaction
    .insertInto('freshet.spaces')
    .values({
      fingerprint,
      source_name: source.name,
      model_alias: model.alias,
      provider: model.provider,
      model_id: model.modelId,
      revision: model.revision,
      dimensions: model.dimensions,
      recipe,
      table_oid: source.tableOid,
      table_schema: source.schema,
      table_name: source.table,
      key_column: joinNames(source.keyColumns.map(({ name }) => name)),
      key_type: joinNames(source.keyColumns.map(({ type }) => type)),
      version_column: source.versionColumn,
      version_type: source.versionType,
      row_version: hasHashedRows(source) ? 'hash' : 'xmin',
      status: 'building',
    })
    .returningAll()
    .executeTakeFirstOrThrow();
  await createVectorTable(transaction, {
    vectorTable: vectorTableOf(row.space_id),
    keyColumns: source.keyColumns,
    collations: await readCollations(transaction, source),
    versionType: source.versionType,
    rowVersionType: rowVersionType(source),
    dimensions: model.dimensions,
    storage: source.storage,
  });
  // There is no watermark yet: the first incremental pass sets it.
  // Older rows belong to the reconcile pass.
  await transaction.insertInto('freshet.positions').values({ space_id: row.space_id }).execute();
  return row;
}

/**
 * Creates the vector table of a space, which holds one outcome row per source row.
 * The key has one column per part, `item_id`, `item_id_2` and so on. Those columns and
 * `source_version` have the source columns' own types. Key and version types come from
 * `format_type`, never from configuration.
 * A touch must be a HOT update, even beside an HNSW index. Therefore `source_version` is not
 * indexed, a fifth of each page stays free, and `embedding` keeps the default storage EXTERNAL
 * (measured: with PLAIN, 0 of 188 updates are HOT).
 */
async function createVectorTable(
  db: Kysely<FreshetTables>,
  shape: {
    readonly vectorTable: string;
    readonly keyColumns: readonly KeyColumn[];
    /** Collation by name of the key column, schema-qualified and quoted; types may have none. */
    readonly collations: ReadonlyMap<string, string>;
    readonly versionType: string;
    readonly rowVersionType: 'xid' | 'bigint';
    readonly dimensions: number;
    readonly storage: VectorStorage;
  },
): Promise<void> {
  const table = sql.id('freshet', shape.vectorTable);
  const parts = shape.keyColumns.map(({ name, type }, place) => {
    const collation = shape.collations.get(name);
    const collate = collation === undefined ? sql`` : sql` COLLATE ${sql.raw(collation)}`;
    return sql`${sql.id(storedColumn(place))} ${sql.raw(type)}${collate} NOT NULL`;
  });
  const keyNames = parts.map((_, place) => sql.id(storedColumn(place)));
  await sql`CREATE TABLE ${table} (
    ${sql.join(parts)},
    chunk smallint NOT NULL DEFAULT 0,
    outcome text NOT NULL,
    content_hash bytea,
    source_version ${sql.raw(shape.versionType)},
    source_xid ${sql.raw(shape.rowVersionType)},
    read_at timestamptz NOT NULL,
    text_length integer NOT NULL DEFAULT 0,
    kept_length integer NOT NULL DEFAULT 0,
    tokens integer NOT NULL DEFAULT 0,
    embedding ${sql.raw(shape.storage ?? 'vector')}(${sql.raw(String(shape.dimensions))}),
    embedded_at timestamptz,
    missing_since timestamptz,
    PRIMARY KEY (${sql.join(keyNames)}, chunk),
    CHECK ((outcome = 'embedded') = (embedding IS NOT NULL))
  ) WITH (fillfactor = 80)`.execute(db);
  const index = sql.id(`${shape.vectorTable}_by_content_hash`);
  await sql`CREATE INDEX ${index} ON ${table} (content_hash)`.execute(db);
  // Few rows hold no vector. A touch leaves the outcome as it is, and so stays HOT.
  const byOutcome = sql.id(`${shape.vectorTable}_by_outcome`);
  await sql`CREATE INDEX ${byOutcome} ON ${table} (outcome, item_id)
    WHERE outcome <> 'embedded'`.execute(db);
}

async function readCollations(
  db: Kysely<FreshetTables>,
  { tableOid, keyColumns }: ResolvedSource,
): Promise<ReadonlyMap<string, string>> {
  const names = JSON.stringify(keyColumns.map(({ name }) => name));
  const found = await sql<{ name: string; collation: string }>`
    SELECT a.attname::text AS name, format('%I.%I', n.nspname, c.collname) AS collation
      FROM pg_attribute a
      JOIN pg_collation c ON c.oid = a.attcollation
      JOIN pg_namespace n ON n.oid = c.collnamespace
     WHERE a.attrelid = ${tableOid}::oid
       AND a.attname IN (SELECT json_array_elements_text(${names}::json))`.execute(db);
  return new Map(found.rows.map(({ name, collation }) => [name, collation]));
}

/**
 * Rejects other dimensions than those of the vectors stored for the same model revision.
 * One revision of a model has one length of vectors. Other dimensions under the same alias and
 * revision are a slip, and would put an empty space in the place of a full one. A space that holds
 * no vector yet may be left behind.
 * @throws UsageError with both numbers of dimensions.
 */
export async function requireSameDimensions(
  transaction: Transaction<FreshetTables>,
  { source, model }: SpaceBinding,
): Promise<void> {
  const former = await transaction
    .selectFrom('freshet.spaces')
    .select(['space_id', 'dimensions'])
    .where('source_name', '=', source.name)
    .where('model_alias', '=', model.alias)
    .where('provider', '=', model.provider)
    .where('model_id', '=', model.modelId)
    .where('revision', '=', model.revision)
    .where('status', '<>', 'retired')
    .where('dimensions', '<>', model.dimensions)
    .executeTakeFirst();
  if (former === undefined) return;
  const { rows } = await sql`SELECT FROM ${sql.id('freshet', vectorTableOf(former.space_id))}
    WHERE embedding IS NOT NULL LIMIT 1`.execute(transaction);
  if (rows.length === 0) return;
  throw new UsageError(
    `Source "${source.name}": the stored vectors of model "${model.alias}" have ${former.dimensions} ` +
      `dimensions, the configuration says ${model.dimensions}.`,
    `Set ${formatPath(['models', model.alias, 'dimensions'])} to ${former.dimensions}. To embed ` +
      `everything anew with ${model.dimensions}, give the model another alias or another revision.`,
  );
}
