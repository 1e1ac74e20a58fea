import { aliasesOf, type PipelineConfig, type SourceConfig } from '../../core/config/pipeline-config.ts';
import { UsageError } from '../../core/errors.ts';
import type { ModelDefinition, ResolvedSource, Space } from '../../core/model.ts';
import { describeRecipe, fingerprintSpace } from '../../core/text.ts';
import type { SpaceRegistry } from '../../ports/control-store.ts';
import { nameAsked, type SqlDatabase } from './database.ts';
import { quoteName } from './fragments.ts';
import { type SpaceRow, vectorTableOf } from './freshet-tables.ts';
import { MIGRATE_COMMAND, MIGRATIONS, readSchemaVersion, requireSchemaRights } from './migrations/migrate.ts';
import { resolveKnownSource } from './resolve-source.ts';

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
        ? `The database has no schema freshet yet.${nameAsked(db)}`
        : `Schema freshet of the database has version ${version}, this Freshet needs ${needed}.`,
      version > needed ? undefined : MIGRATE_COMMAND,
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
      `Source "${binding.source.name}" has no space yet for model "${binding.model.alias}" as it is ` +
        'configured now (model, dimensions or text recipe are new). Existing vectors are kept until ' +
        'then.',
      MIGRATE_COMMAND,
    );
  }
  requireSameShape(row, binding.source, config.database.viewSchema);
  return toSpace(row, binding);
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
 * @throws UsageError with the statements that change the vector table.
 */
export function requireSameShape(row: SpaceRow, source: ResolvedSource, viewSchema: string): void {
  if (row.key_type === source.keyType && row.version_type === source.versionType) return;
  const table = quoteName('freshet', vectorTableOf(row.space_id));
  throw new UsageError(
    `Source "${source.name}": the stored vectors have keys of type ${row.key_type} and versions of ` +
      `type ${row.version_type}, the table now has ${source.keyType} and ${source.versionType}. If the ` +
      'rows are the same as before, run the statement below, then migrate again; if they are other ' +
      'rows, give the source another name.',
    [
      `DROP VIEW IF EXISTS ${quoteName(viewSchema, source.name)};`,
      `ALTER TABLE ${table} ALTER COLUMN item_id TYPE ${source.keyType} USING ` +
        `item_id::text::${source.keyType},`,
      `ALTER COLUMN source_version TYPE ${source.versionType};`,
      `UPDATE freshet.spaces SET key_type = '${source.keyType}', version_type = ` +
        `'${source.versionType}' WHERE space_id = ${row.space_id};`,
    ].join(' '),
  );
}
