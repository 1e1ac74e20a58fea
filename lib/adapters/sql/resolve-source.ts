import { type Kysely, sql } from 'kysely';
import type { PipelineConfig, SourceConfig } from '../../core/config/pipeline-config.ts';
import { holdsText, needsTimeZone, VERSION_TYPES } from '../../core/config/source-rules.ts';
import { isDocumentText } from '../../core/documents.ts';
import { UsageError } from '../../core/errors.ts';
import type { ResolvedSource, TextColumn } from '../../core/model.ts';
import { describeRecipe } from '../../core/text.ts';
import { chooseKey } from './choose-key.ts';
import { nameAsked, type SqlDatabase } from './database.ts';
import { quoteName } from './fragments.ts';
import type { FreshetTables, SpaceRow } from './freshet-tables.ts';
import { joinNames, readKeyColumns } from './key-columns.ts';
import { findSourceFault } from './source-faults.ts';
import {
  type FoundTable,
  findTable,
  RELATIONS,
  readColumns,
  suggestNames,
  type TableColumn,
} from './source-table.ts';

/**
 * Resolves the configured source as the database has it now.
 * @throws UsageError that names the source, what is wrong, what exists and, where there is one, the
 * statement that mends it.
 */
export async function resolveSource(
  db: SqlDatabase,
  config: SourceConfig,
  maxCharacters?: number,
): Promise<ResolvedSource> {
  const table = await findTable(db, config);
  const columns = await readColumns(db, table.oid);
  const noun = table.kind === 'p' ? 'table' : (RELATIONS[table.kind] ?? 'table');
  const subject = `Source "${config.name}": ${noun} ${quoteName(table.schema, table.name)}`;
  const keyColumns = await chooseKey(db, table, columns, config, subject);
  const version = requireColumn(db, columns, config.updatedAt, subject);
  const versionType = requireVersionType(version, config, subject);
  const textColumns = config.text.columns.map(name =>
    isDocumentText(table, name)
      ? { name, isArray: false, isApart: true as const }
      : requireText(requireColumn(db, columns, name, subject), subject),
  );
  const tenant = config.search?.tenant;
  const texts = textColumns.filter(column => !('isApart' in column));
  const names = [...keyColumns, version, ...texts].map(({ name }) => name);
  await requireReadable(db, table, names, subject);
  return {
    name: config.name,
    schema: table.schema,
    table: table.name,
    tableOid: table.oid,
    ...(table.kind !== 'r' && { relation: RELATIONS[table.kind] }),
    keyColumns,
    versionColumn: version.name,
    versionType,
    versionTimeZone: needsTimeZone(versionType) ? await checkTimeZone(db, config, version) : 'UTC',
    ...(config.updatedAtUnit && { versionUnit: config.updatedAtUnit }),
    textColumns,
    template: config.text.template,
    overLimit: config.overLimit,
    maxCharacters,
    ...(config.onOutage && { onOutage: config.onOutage }),
    ...(config.storage && { storage: config.storage }),
    ...(config.search?.keywords && { keywordLanguage: config.search.keywords.language }),
    // A search says what is wrong with a column that is not there; nobody waits for it here.
    ...(columns.some(({ name }) => name === tenant) && { tenantColumn: tenant }),
  };
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
    JSON.stringify(source.keyColumns.map(({ type }) => type)) !==
      JSON.stringify(known.keyColumns.map(({ type }) => type)) ||
    source.versionType !== known.versionType ||
    source.textColumns.some((column, place) => column.isArray !== known.textColumns[place]?.isArray)
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
  const textColumns = readTextColumns(row);
  const names = textColumns.map(column => column.name);
  if (describeRecipe({ textColumns, template, overLimit }) !== row.recipe) return undefined;
  if (JSON.stringify(names) !== JSON.stringify(sourceConfig.text.columns)) return undefined;
  return {
    name: sourceConfig.name,
    schema: row.table_schema,
    table: row.table_name,
    tableOid: Number(row.table_oid),
    // A view or a foreign table; what holds for the latter harms neither.
    ...(row.row_version === 'hash' && { relation: 'foreign table' as const }),
    keyColumns: readKeyColumns(row),
    versionColumn: row.version_column,
    versionType: row.version_type as ResolvedSource['versionType'],
    versionTimeZone: sourceConfig.timeZone ?? 'UTC',
    ...(sourceConfig.updatedAtUnit && { versionUnit: sourceConfig.updatedAtUnit }),
    textColumns,
    template,
    overLimit,
    maxCharacters: config.limits.maxCharacters,
    ...(sourceConfig.storage && { storage: sourceConfig.storage }),
    ...(sourceConfig.search?.keywords && { keywordLanguage: sourceConfig.search.keywords.language }),
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
    (key === undefined || joinNames([key].flat()) === row.key_column)
  );
}

function readTextColumns({ recipe, table_schema: schema, table_name: table }: SpaceRow): TextColumn[] {
  const { columns } = JSON.parse(recipe) as { columns: readonly (readonly [string, boolean])[] };
  return columns.map(([name, isArray]) => ({
    ...{ name, isArray },
    ...(isDocumentText({ schema, name: table }, name) && { isApart: true as const }),
  }));
}

function requireColumn(
  db: SqlDatabase,
  columns: readonly TableColumn[],
  name: string,
  subject: string,
): TableColumn {
  const found = columns.find(column => column.name === name);
  if (found !== undefined) return found;
  const names = columns.map(column => column.name);
  throw new UsageError(`${subject} has no column "${name}"${suggestNames(name, names)}.${nameAsked(db)}`);
}

function requireVersionType(
  column: TableColumn,
  { updatedAtUnit }: SourceConfig,
  subject: string,
): ResolvedSource['versionType'] {
  const type = VERSION_TYPES.find(candidate => candidate === column.baseType);
  const what = `${subject}: updatedAt column "${column.name}" is of type ${column.type}`;
  if (type === undefined) {
    throw new UsageError(
      `${what}. It must be timestamptz, bigint, or timestamp or date with "timeZone" in the configuration.`,
    );
  }
  if (updatedAtUnit !== undefined && type !== 'bigint') {
    throw new UsageError(`${what}, which has no unit. Remove "updatedAtUnit" from the source.`);
  }
  return type;
}

/** Requires a column of text, or of an array of texts. */
function requireText(column: TableColumn, subject: string): { name: string; isArray: boolean } {
  const element = column.elementType ?? column.baseType;
  if (!holdsText(element)) {
    throw new UsageError(
      `${subject}: column "${column.name}" is of type ${column.type}, which holds no text.`,
    );
  }
  return { name: column.name, isArray: column.elementType !== null };
}

/**
 * Finds the zone of a `timestamp without time zone` or a `date`, spelled as the server spells it.
 * @throws UsageError where no zone is configured, or the server does not know the zone.
 */
async function checkTimeZone(
  db: SqlDatabase,
  config: SourceConfig,
  { name, type }: TableColumn,
): Promise<string> {
  if (config.timeZone === undefined) {
    throw new UsageError(
      `Source "${config.name}": column "${name}" (${type}) has no time zone. Add the zone that its ` +
        "values are in to the source, for example timeZone: 'UTC'.",
    );
  }
  const zones = await sql<{ name: string }>`SELECT name FROM pg_timezone_names ORDER BY name`.execute(
    db.kysely,
  );
  const names = zones.rows.map(zone => zone.name);
  const exact = names.find(name => name.toLowerCase() === config.timeZone?.toLowerCase());
  if (exact !== undefined) return exact;
  throw new UsageError(
    `Source "${config.name}": the server knows no time zone ` +
      `"${config.timeZone}"${suggestNames(config.timeZone, names)}.`,
  );
}

/**
 * Requires USAGE on the schema, and SELECT on the table or on each column and `xmin`.
 * @throws UsageError that begins with `subject` and has the GRANTs that are missing.
 */
async function requireReadable(
  db: SqlDatabase,
  table: FoundTable,
  columns: readonly string[],
  subject: string,
): Promise<void> {
  const hasRowVersion = table.kind === 'r' || table.kind === 'p';
  const needed = JSON.stringify([...new Set([...columns, ...(hasRowVersion ? ['xmin'] : [])])]);
  const found = await sql<{ role: string; usage: boolean; table: boolean; columns: boolean }>`
    SELECT current_user::text AS role,
           has_schema_privilege(${table.schema}, 'USAGE') AS usage,
           has_table_privilege(${table.oid}::oid, 'SELECT') AS "table",
           (SELECT bool_and(has_column_privilege(${table.oid}::oid, name, 'SELECT'))
              FROM json_array_elements_text(${needed}::json) AS needed (name)) AS columns`.execute(db.kysely);
  const rights = found.rows[0];
  if (rights === undefined || (rights.usage && (rights.table || rights.columns))) return;
  const role = quoteName(rights.role);
  const grants = [
    ...(rights.usage ? [] : [`GRANT USAGE ON SCHEMA ${quoteName(table.schema)} TO ${role};`]),
    ...(rights.table || rights.columns
      ? []
      : [`GRANT SELECT ON ${quoteName(table.schema, table.name)} TO ${role};`]),
  ];
  throw new UsageError(`${subject} may not be read by role ${role}.`, grants.join(' '));
}
