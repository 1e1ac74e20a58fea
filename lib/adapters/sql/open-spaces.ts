import { type Kysely, type Selectable, sql, type Transaction } from 'kysely';
import { formatPath } from '../../core/config/describe-issues.ts';
import { aliasesOf, type PipelineConfig, type SourceConfig } from '../../core/config/pipeline-config.ts';
import { UsageError } from '../../core/errors.ts';
import type { ModelDefinition, ResolvedSource, Space, TextColumn } from '../../core/model.ts';
import { describeRecipe, fingerprintSpace } from '../../core/text.ts';
import type { SpaceRegistry } from '../../ports/control-store.ts';
import type { SqlDatabase } from './database.ts';
import { quoteName } from './find-table.ts';
import type { FreshetTables } from './freshet-tables.ts';
import { MIGRATIONS, readSchemaVersion, requireSchemaRights } from './migrations/migrate.ts';
import { resolveSource } from './resolve-source.ts';
import { findSourceFault } from './source-faults.ts';

/**
 * Requires that the space has the key and version types of the source's table.
 * Outcome rows hold keys and versions in the source columns' own types. When the application
 * changed one of the types, the vector table must follow.
 * @throws UsageError with the statements that change the vector table.
 */
export function requireSameShape(row: SpaceRow, source: ResolvedSource, viewSchema: string): void {
  if (row.key_type === source.keyType && row.version_type === source.versionType) return;
  const table = quoteName('freshet', `vectors_${row.space_id}`);
  throw new UsageError(
    `Source "${source.name}": the stored vectors have keys of type ${row.key_type} and versions of type ${row.version_type}, the table now has ${source.keyType} and ${source.versionType}. If the rows are the same as before, run the statement below, then migrate again; if they are other rows, give the source another name.`,
    [
      `DROP VIEW IF EXISTS ${quoteName(viewSchema, source.name)};`,
      `ALTER TABLE ${table} ALTER COLUMN item_id TYPE ${source.keyType} USING item_id::text::${source.keyType},`,
      `ALTER COLUMN source_version TYPE ${source.versionType};`,
      `UPDATE freshet.spaces SET key_type = '${source.keyType}', version_type = '${source.versionType}' WHERE space_id = ${row.space_id};`,
    ].join(' '),
  );
}

/**
 * Recalls the source as its space was made for it.
 * Undefined where the configuration is new or was changed. Where the configuration still asks for
 * the same source, any difference to the database comes from a change that the application made to
 * its table.
 */
async function recallSource(
  db: Kysely<FreshetTables>,
  config: PipelineConfig,
  sourceConfig: SourceConfig,
): Promise<ResolvedSource | undefined> {
  const row = await db
    .selectFrom('freshet.spaces')
    .selectAll()
    .where('source_name', '=', sourceConfig.name)
    .where('status', '=', 'active')
    .executeTakeFirst();
  if (row === undefined || !namesSameTable(row, sourceConfig)) return undefined;
  const { template } = sourceConfig.text;
  const { overLimit } = sourceConfig;
  const textColumns = readTextColumns(row.recipe);
  const names = textColumns.map(column => column.name);
  if (describeRecipe({ textColumns, template, overLimit }) !== row.recipe) return undefined;
  if (JSON.stringify(names) !== JSON.stringify(sourceConfig.text.columns)) return undefined;
  return {
    name: sourceConfig.name,
    schema: row.table_schema,
    table: row.table_name,
    tableOid: Number(row.table_oid),
    keyColumn: row.key_column,
    keyType: row.key_type,
    versionColumn: row.version_column,
    versionType: row.version_type as ResolvedSource['versionType'],
    versionTimeZone: sourceConfig.timeZone ?? 'UTC',
    textColumns,
    template,
    overLimit,
    maxCharacters: config.limits.maxCharacters,
  };
}

function namesSameTable(row: SpaceRow, { table, key, updatedAt }: SourceConfig): boolean {
  const [schema, name] =
    typeof table === 'string'
      ? table.includes('.')
        ? table.split('.')
        : [row.table_schema, table]
      : [table.schema, table.name];
  return (
    schema === row.table_schema &&
    name === row.table_name &&
    updatedAt === row.version_column &&
    (key === undefined || key === row.key_column)
  );
}

function readTextColumns(recipe: string): TextColumn[] {
  const { columns } = JSON.parse(recipe) as { columns: readonly (readonly [string, boolean])[] };
  return columns.map(([name, isArray]) => ({ name, isArray }));
}

/**
 * Resolves the source as the database has it, or as it was before the application broke it.
 * In the second case `detect` finds what is wrong, pauses this source with the reason and leaves
 * the others alone.
 * @throws UsageError for a source that never was, or that the configuration names wrongly now.
 */
export async function resolveKnownSource(
  db: SqlDatabase,
  config: PipelineConfig,
  sourceConfig: SourceConfig,
): Promise<ResolvedSource> {
  const known = await recallSource(db.kysely, config, sourceConfig);
  try {
    const source = await resolveSource(db, sourceConfig, config.limits.maxCharacters);
    return known !== undefined && hasOtherTypes(source, known) ? known : source;
  } catch (error) {
    if (!(error instanceof UsageError) || known === undefined) throw error;
    if ((await findSourceFault(db, { source: known })) === undefined) throw error;
    return known;
  }
}

function hasOtherTypes(source: ResolvedSource, known: ResolvedSource): boolean {
  return (
    source.keyType !== known.keyType ||
    source.versionType !== known.versionType ||
    source.textColumns.some((column, place) => column.isArray !== known.textColumns[place]?.isArray)
  );
}

/** What configuration and database say of a space before its row is looked up. */
export interface SpaceBinding {
  readonly source: ResolvedSource;
  readonly model: ModelDefinition;
  readonly recipe: string;
  readonly fingerprint: string;
  readonly fallbackFor?: readonly string[] | undefined;
}

/**
 * Makes one binding per model of the source: the first model's first, the fallback's last.
 * @throws UsageError where the configuration does not define a model.
 */
export function toSpaceBindings(
  config: PipelineConfig,
  sourceConfig: SourceConfig,
  source: ResolvedSource,
): readonly SpaceBinding[] {
  const recipe = describeRecipe(source);
  return aliasesOf(sourceConfig).map(alias => {
    const model = config.models[alias];
    if (model === undefined) {
      throw new UsageError(
        `Source "${source.name}" names model "${alias}", which the configuration does not define.`,
      );
    }
    return {
      source,
      model,
      recipe,
      fingerprint: fingerprintSpace({ sourceName: source.name, model, recipe }),
      ...(alias === sourceConfig.fallback && { fallbackFor: sourceConfig.models }),
    };
  });
}

export type SpaceRow = Selectable<FreshetTables['freshet.spaces']>;

/**
 * Makes a space from its stored row and its binding; the table's OID is the stored one.
 * A table that was swapped since the space was bound to it shows by another OID in the database.
 */
export function toSpace(
  row: SpaceRow,
  binding: Pick<SpaceBinding, 'source' | 'model' | 'fallbackFor'>,
): Space {
  return {
    spaceId: row.space_id,
    source: { ...binding.source, tableOid: Number(row.table_oid) },
    model: binding.model,
    status: row.status,
    vectorTable: `vectors_${row.space_id}`,
    ...(binding.fallbackFor && { fallbackFor: binding.fallbackFor }),
  };
}

const MIGRATE = 'npm run freshet -- migrate';

/**
 * Opens the spaces of the configuration without writing anything.
 * @throws UsageError where `migrate` has yet to make the schema or a space.
 */
export async function openSpaces(db: SqlDatabase, config: PipelineConfig): Promise<SpaceRegistry> {
  const needed = MIGRATIONS.at(-1)?.version ?? 0;
  await requireSchemaRights(db, 'read');
  const version = await readSchemaVersion(db.kysely);
  if (version !== needed) {
    throw new UsageError(
      version === 0
        ? 'The database has no schema freshet yet.'
        : `Schema freshet of the database has version ${version}, this Freshet needs ${needed}.`,
      version > needed ? undefined : MIGRATE,
    );
  }
  const spaces: Space[] = [];
  for (const sourceConfig of config.sources) {
    const source = await resolveKnownSource(db, config, sourceConfig);
    for (const binding of toSpaceBindings(config, sourceConfig, source)) {
      spaces.push(await openSpace(db, binding, config));
    }
  }
  return {
    list: async () => spaces,
    find: async spaceId => spaces.find(space => space.spaceId === spaceId),
  };
}

async function openSpace(db: SqlDatabase, binding: SpaceBinding, config: PipelineConfig): Promise<Space> {
  const row = await db.kysely
    .selectFrom('freshet.spaces')
    .selectAll()
    .where('fingerprint', '=', binding.fingerprint)
    .where('status', '<>', 'retired')
    .executeTakeFirst();
  if (row === undefined) {
    throw new UsageError(
      `Source "${binding.source.name}" has no space yet for model "${binding.model.alias}" as it is configured now (model, dimensions or text recipe are new). Existing vectors are kept until then.`,
      MIGRATE,
    );
  }
  requireSameShape(row, binding.source, config.database.viewSchema);
  return toSpace(row, binding);
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
  const { rows } = await sql`SELECT FROM ${sql.id('freshet', `vectors_${former.space_id}`)}
    WHERE embedding IS NOT NULL LIMIT 1`.execute(transaction);
  if (rows.length === 0) return;
  throw new UsageError(
    `Source "${source.name}": the stored vectors of model "${model.alias}" have ${former.dimensions} dimensions, the configuration says ${model.dimensions}.`,
    `Set ${formatPath(['models', model.alias, 'dimensions'])} to ${former.dimensions}. To embed everything anew with ${model.dimensions}, give the model another alias or another revision.`,
  );
}
