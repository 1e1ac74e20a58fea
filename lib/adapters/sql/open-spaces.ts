import { aliasesOf, type PipelineConfig, type SourceConfig } from '../../core/config/pipeline-config.ts';
import { UsageError } from '../../core/errors.ts';
import type { KeyColumn, ModelDefinition, ResolvedSource, Space } from '../../core/model.ts';
import { DOCS } from '../../core/own-command.ts';
import { describeRecipe, fingerprintSpace } from '../../core/text.ts';
import type { SpaceRegistry } from '../../ports/control-store.ts';
import type { SqlDatabase } from './database.ts';
import { quoteName } from './fragments.ts';
import { type SpaceRow, vectorTableOf } from './freshet-tables.ts';
import { joinNames, readKeyColumns, storedColumn } from './key-columns.ts';
import { hasKeywordColumns } from './keywords.ts';
import { NEEDED_VERSION, requireSchemaRights } from './migrations/migrate.ts';
import { MIGRATE_COMMAND, requireUsableSchema } from './migrations/schema-version.ts';
import { hasHashedRows } from './quote-space.ts';
import { resolveKnownSource } from './resolve-source.ts';

/**
 * Opens the spaces of the configuration without writing anything.
 * A newer schema will do where it says that this code may run on it.
 * @throws UsageError where `migrate` has yet to make schema or space, or the schema is too new.
 */
export async function openSpaces(db: SqlDatabase, config: PipelineConfig): Promise<SpaceRegistry> {
  await requireSchemaRights(db, 'read');
  await requireUsableSchema(db, NEEDED_VERSION);
  const spaces: Space[] = [];
  for (const sourceConfig of config.sources) {
    const source = await resolveKnownSource(db, config, sourceConfig);
    for (const binding of toSpaceBindings(config, sourceConfig, source)) {
      spaces.push(await openSpace(db, binding, config));
    }
  }
  return registryOf(spaces);
}

/** Makes the registry of spaces that were opened or prepared. */
export function registryOf(spaces: readonly Space[]): SpaceRegistry {
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
  if (row === undefined) throw await explainMissingSpace(db, binding);
  requireSameShape(row, binding.source, config.database.viewSchema);
  const space = toSpace(row, binding);
  if (space.source.keywordLanguage !== undefined && !(await hasKeywordColumns(db.kysely, space)))
    throw new UsageError(
      `Source "${space.source.name}": search.keywords is new: its vector table has no place for words.`,
      MIGRATE_COMMAND,
    );
  return space;
}

/** Warns before `migrate` or a run takes the vectors away that searches see now. */
async function explainMissingSpace(db: SqlDatabase, { source, model }: SpaceBinding): Promise<UsageError> {
  const shown = await db.kysely
    .selectFrom('freshet.spaces')
    .select('space_id')
    .where('source_name', '=', source.name)
    .where('status', '=', 'active')
    .executeTakeFirst();
  return new UsageError(
    `Source "${source.name}" has no space yet for model "${model.alias}" as it is configured now (model, ` +
      'dimensions or text recipe are new).' +
      (shown === undefined
        ? ''
        : ' migrate and run make it, and it is empty at first: where that model is the first of the ' +
          'source, searches see the vectors of before until then and no longer. ' +
          `"Changing the model" in ${DOCS}/configuration.md fills it first.`),
    MIGRATE_COMMAND,
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
      fingerprint: fingerprintSpace({ sourceName: source.name, model, recipe, storage: source.storage }),
      ...(alias === sourceConfig.fallback && { fallbackFor: sourceConfig.models }),
    };
  });
}

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
    vectorTable: vectorTableOf(row.space_id),
    ...(binding.fallbackFor && { fallbackFor: binding.fallbackFor }),
  };
}

/**
 * Requires that the space has the key and version types of the source's table.
 * Outcome rows hold keys and versions in the source columns' own types. When the application
 * changed one of the types, the vector table must follow.
 * @throws UsageError with the statements that change the vector table; without them where the key
 *   has other columns than before.
 */
export function requireSameShape(row: SpaceRow, source: ResolvedSource, viewSchema: string): void {
  const stored = readKeyColumns(row);
  const { keyColumns } = source;
  requireSameParts(stored, source);
  if ((row.row_version === 'hash') !== hasHashedRows(source)) {
    throw new UsageError(
      `Source "${source.name}": the stored vectors are those of ` +
        `${row.row_version === 'hash' ? 'a view or a foreign table' : 'a table'}, the source now is ` +
        `${hasHashedRows(source) ? `a ${source.relation}` : 'a table'}. Give it another name: it is then ` +
        'embedded anew.',
    );
  }
  const keyType = joinNames(keyColumns.map(({ type }) => type));
  if (row.key_type === keyType && row.version_type === source.versionType) return;
  const table = quoteName('freshet', vectorTableOf(row.space_id));
  const changes = keyColumns.map(({ type }, place) => {
    const column = storedColumn(place);
    return `ALTER TABLE ${table} ALTER COLUMN ${column} TYPE ${type} USING ${column}::text::${type};`;
  });
  throw new UsageError(
    `Source "${source.name}": the stored vectors have keys of type ${listTypes(stored)} and versions of ` +
      `type ${row.version_type}, the table now has ${listTypes(keyColumns)} and ${source.versionType}. If ` +
      'the rows are the same as before, run the statement below, then migrate again; if they are other ' +
      'rows, give the source another name.',
    [
      `DROP VIEW IF EXISTS ${quoteName(viewSchema, source.name)};`,
      ...changes,
      `ALTER TABLE ${table} ALTER COLUMN source_version TYPE ${source.versionType};`,
      `UPDATE freshet.spaces SET key_type = '${keyType}', version_type = ` +
        `'${source.versionType}' WHERE space_id = ${row.space_id};`,
    ].join(' '),
  );
}

/** Columns that changed places hold other values, even where all of them are of one type. */
function requireSameParts(stored: readonly KeyColumn[], { name, keyColumns }: ResolvedSource): void {
  const before = stored.map(column => column.name);
  const now = keyColumns.map(column => column.name);
  const hasMoved = before.join() !== now.join() && [...before].sort().join() === [...now].sort().join();
  if (before.length === now.length && !hasMoved) return;
  throw new UsageError(
    `Source "${name}": the stored vectors have the key (${before.join(', ')}), the source now has ` +
      `(${now.join(', ')}). Restore the former key, or give the source another name: it is then embedded ` +
      'anew.',
  );
}

const listTypes = (columns: readonly KeyColumn[]) => columns.map(({ type }) => type).join(', ');
