import type { Kysely } from 'kysely';
import type { PipelineConfig, SourceConfig } from '../../../core/config/pipeline-config.ts';
import type { ResolvedSource, TextColumn } from '../../../core/model/space.ts';
import { describeRecipe } from '../../../core/text/describe-recipe.ts';
import type { FreshetTables } from '../freshet-tables.ts';
import type { SpaceRow } from './to-space.ts';

/**
 * Recalls the source as its space was made for it.
 * Undefined where the configuration is new or was changed. Where the configuration still asks for
 * the same source, any difference to the database comes from a change that the application made to
 * its table.
 */
export async function recallSource(
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
