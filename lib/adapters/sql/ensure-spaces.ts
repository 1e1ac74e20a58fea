import { sql, type Transaction } from 'kysely';
import type { PipelineConfig, SourceConfig } from '../../core/config/pipeline-config.ts';
import { FreshetError, UsageError } from '../../core/errors.ts';
import type { ResolvedSource, Space } from '../../core/model.ts';
import { createSpace, requireSameDimensions } from './create-space.ts';
import type { SqlDatabase } from './database.ts';
import { quoteName } from './fragments.ts';
import type { FreshetTables, SpaceRow } from './freshet-tables.ts';
import { joinNames } from './key-columns.ts';
import { ensureKeywords, fillKeywords, requireLanguage } from './keywords.ts';
import { lockSchemaChanges, NEEDED_VERSION } from './migrations/migrate.ts';
import { readSchemaVersion } from './migrations/schema-version.ts';
import { requireSameShape, type SpaceBinding, toSpace, toSpaceBindings } from './open-spaces.ts';
import { findReplacedSpace, type ReplacedSpace } from './replaced-spaces.ts';
import { resolveKnownSource, resolveSource } from './resolve-source.ts';
import { replaceSearchFunction } from './search-function.ts';
import { replaceSourceView } from './source-view.ts';

export interface PreparationOptions {
  readonly adopt?: boolean | undefined;
  /** Whether indexes that are gone or invalid are built again, however long that takes. */
  readonly mendsIndexes?: boolean | undefined;
  readonly onReplaced?: ((replaced: ReplacedSpace) => void) | undefined;
}

/**
 * Finds or creates the spaces of each source, with their vector tables and positions.
 * There is a space per source and model. The view of the source shows the space of its first model.
 * A changed recipe or model is another fingerprint and so another space, which is empty at first.
 * It becomes the active one at once and the former one is retired, as are the spaces that the
 * configuration no longer has. A retired space that comes back goes on where it was.
 * `onReplaced` is told of each source whose searches find less from then on.
 * Each source is one transaction. Only `adopt` takes over a table that was swapped or whose types
 * changed. Without `adopt`, such a source stays as it was and `detect` pauses it.
 * @throws UsageError that says which source is wrong and how to mend it.
 */
export async function ensureSpaces(
  db: SqlDatabase,
  config: PipelineConfig,
  options: PreparationOptions = {},
): Promise<readonly Space[]> {
  const adopt = options.adopt ?? false;
  const spaces: Space[] = [];
  for (const sourceConfig of config.sources) {
    const source = adopt
      ? await resolveSource(db, sourceConfig, config.limits.maxCharacters)
      : await resolveKnownSource(db, config, sourceConfig);
    await requireLanguage(db, source);
    const { spaces: ensured, replaced } = await db.kysely
      .transaction()
      .execute(transaction => ensureSource(transaction, config, sourceConfig, source, adopt))
      .catch(error => explainCreationRefusal(error, db, source.name, config.database.viewSchema));
    if (replaced !== undefined) options.onReplaced?.(replaced);
    for (const space of ensured) await fillKeywords(db, space, options.mendsIndexes ?? false);
    spaces.push(...ensured);
  }
  return spaces;
}

async function ensureSource(
  transaction: Transaction<FreshetTables>,
  config: PipelineConfig,
  sourceConfig: SourceConfig,
  source: ResolvedSource,
  adopt: boolean,
): Promise<{ readonly spaces: readonly Space[]; readonly replaced?: ReplacedSpace | undefined }> {
  await lockSchemaChanges(transaction);
  const bindings = toSpaceBindings(config, sourceConfig, source);
  const rows: SpaceRow[] = [];
  for (const binding of bindings) rows.push(await ensureSpace(transaction, binding, config, adopt));
  const [active] = rows;
  if (active === undefined) return { spaces: [] };
  const replaced = await findReplacedSpace(transaction, source.name, active, active.model_alias);
  await assignStatuses(transaction, source.name, active.space_id, rows);
  const spaces = rows.map((row, place) =>
    toSpace({ ...row, status: place === 0 ? 'active' : 'building' }, bindings[place] as SpaceBinding),
  );
  const { viewSchema } = config.database;
  if (spaces[0] !== undefined) {
    await replaceSourceView(transaction, viewSchema, spaces[0]);
    await replaceSearchFunction(transaction, viewSchema, spaces[0]);
  }
  for (const space of spaces) await ensureKeywords(transaction, space);
  return { spaces, replaced };
}

async function ensureSpace(
  transaction: Transaction<FreshetTables>,
  binding: SpaceBinding,
  config: PipelineConfig,
  adopt: boolean,
): Promise<SpaceRow> {
  const { source } = binding;
  const found = await transaction
    .selectFrom('freshet.spaces')
    .selectAll()
    .where('fingerprint', '=', binding.fingerprint)
    .executeTakeFirst();
  if (found === undefined || found.status === 'retired') await requireSameDimensions(transaction, binding);
  if (found === undefined) {
    await refuseNewSpace(transaction, binding);
    return createSpace(transaction, binding);
  }
  requireSameShape(found, source, config.database.viewSchema);
  if (Number(found.table_oid) !== source.tableOid && !adopt) return found;
  const table = {
    table_oid: source.tableOid,
    table_schema: source.schema,
    table_name: source.table,
    key_column: joinNames(source.keyColumns.map(({ name }) => name)),
    version_column: source.versionColumn,
  };
  const isChanged = Object.entries(table).some(
    ([column, value]) => String(found[column as keyof typeof table]) !== String(value),
  );
  if (isChanged)
    await transaction
      .updateTable('freshet.spaces')
      .set(table)
      .where('space_id', '=', found.space_id)
      .execute();
  return { ...found, ...table };
}

/**
 * Rejects a new space on a schema that a newer Freshet made.
 * The newer migrations changed the vector tables that exist, and this code does not know how a new
 * one must look.
 */
async function refuseNewSpace(
  transaction: Transaction<FreshetTables>,
  { source, model }: SpaceBinding,
): Promise<void> {
  const { version } = await readSchemaVersion(transaction);
  if (version <= NEEDED_VERSION) return;
  throw new UsageError(
    `Source "${source.name}" has no space yet for model "${model.alias}" as it is configured here. Schema ` +
      `freshet has version ${version}, where this Freshet, of version ${NEEDED_VERSION}, may run but not ` +
      'make new tables. Keep model, dimensions and text recipe as they were, or use a Freshet of version ' +
      `${version}.`,
  );
}

/**
 * Sets the status of each space of the source, where one is to change.
 * Spaces are retired first, because a unique index allows one active space per source.
 */
async function assignStatuses(
  transaction: Transaction<FreshetTables>,
  sourceName: string,
  activeId: number,
  rows: readonly SpaceRow[],
): Promise<void> {
  const ids = rows.map(row => row.space_id);
  const present = await transaction
    .selectFrom('freshet.spaces')
    .select(['space_id', 'status'])
    .where('source_name', '=', sourceName)
    .execute();
  const expected = (spaceId: number) =>
    spaceId === activeId ? 'active' : ids.includes(spaceId) ? 'building' : 'retired';
  if (present.every(({ space_id: spaceId, status }) => status === expected(spaceId))) return;
  await transaction
    .updateTable('freshet.spaces')
    .set({ status: 'retired' })
    .where('source_name', '=', sourceName)
    .where('status', '<>', 'retired')
    .where('space_id', 'not in', ids)
    .execute();
  await transaction
    .updateTable('freshet.spaces')
    .set({ status: 'building' })
    .where('space_id', 'in', ids)
    .where('space_id', '<>', activeId)
    .where('status', '<>', 'building')
    .execute();
  await transaction
    .updateTable('freshet.spaces')
    .set({ status: 'active', activated_at: sql`now()` })
    .where('space_id', '=', activeId)
    .where('status', '<>', 'active')
    .execute();
}

/**
 * Turns a refusal (42501) to create a table or view into the GRANTs that are missing.
 * @throws UsageError with the GRANTs; any other error as it came.
 */
async function explainCreationRefusal(
  error: unknown,
  db: SqlDatabase,
  sourceName: string,
  viewSchema: string,
): Promise<never> {
  if (!(error instanceof FreshetError) || error.code !== 'sqlstate_42501') throw error;
  const { rows } = await sql<{
    role: string;
    database: string;
    tables: boolean;
    views: boolean | null;
    schemas: boolean;
  }>`
    SELECT current_user::text AS role, current_database()::text AS database,
           has_schema_privilege('freshet', 'CREATE') AS tables,
           (SELECT has_schema_privilege(oid, 'CREATE')
              FROM pg_namespace WHERE nspname = ${viewSchema}) AS views,
           has_database_privilege(current_database(), 'CREATE') AS schemas`.execute(db.kysely);
  const rights = rows[0];
  if (rights === undefined) throw error;
  const role = quoteName(rights.role);
  const grants = [
    ...(rights.tables ? [] : [`GRANT CREATE ON SCHEMA freshet TO ${role};`]),
    ...(rights.views === false ? [`GRANT USAGE, CREATE ON SCHEMA ${quoteName(viewSchema)} TO ${role};`] : []),
    ...(rights.views === null && !rights.schemas
      ? [`GRANT CREATE ON DATABASE ${quoteName(rights.database)} TO ${role};`]
      : []),
  ];
  throw new UsageError(
    `Source "${sourceName}": role ${role} may not make its table in schema freshet or its view in ` +
      `schema ${quoteName(viewSchema)}. Run the statements below, or run migrate as the role that owns ` +
      'them.',
    grants.length > 0 ? grants.join(' ') : undefined,
  );
}
