import type { SourceConfig } from '../../../core/config/pipeline-config.ts';
import { UsageError } from '../../../core/errors/usage-error.ts';
import type { ResolvedSource } from '../../../core/model/space.ts';
import type { SqlDatabase } from '../sql-database.ts';
import { checkTimeZone } from './check-time-zone.ts';
import { chooseKey } from './choose-key.ts';
import { findTable } from './find-table.ts';
import { quoteName } from './quote-name.ts';
import { readColumns, type TableColumn } from './read-columns.ts';
import { requireReadable } from './require-readable.ts';
import { suggestNames } from './suggest-names.ts';

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
  const place = `Source "${config.name}": table ${quoteName(table.schema, table.name)}`;
  const key = await chooseKey(db, table, columns, config, place);
  const version = requireColumn(columns, config.updatedAt, place);
  const versionType = requireVersionType(version, place);
  const textColumns = config.text.columns.map(name =>
    requireText(requireColumn(columns, name, place), place),
  );
  await requireReadable(db, table, [key.name, version.name, ...config.text.columns], place);
  return {
    name: config.name,
    schema: table.schema,
    table: table.name,
    tableOid: table.oid,
    keyColumn: key.name,
    keyType: key.type,
    versionColumn: version.name,
    versionType,
    versionTimeZone:
      versionType === 'timestamp with time zone' ? 'UTC' : await checkTimeZone(db, config, version.name),
    textColumns,
    template: config.text.template,
    overLimit: config.overLimit,
    maxCharacters,
    ...(config.onOutage && { onOutage: config.onOutage }),
  };
}

function requireColumn(columns: readonly TableColumn[], name: string, place: string): TableColumn {
  const found = columns.find(column => column.name === name);
  if (found !== undefined) return found;
  throw new UsageError(
    `${place} has no column "${name}"${suggestNames(
      name,
      columns.map(column => column.name),
    )}.`,
  );
}

function requireVersionType(column: TableColumn, place: string): ResolvedSource['versionType'] {
  if (column.baseType === 'timestamp with time zone' || column.baseType === 'timestamp without time zone') {
    return column.baseType;
  }
  throw new UsageError(
    `${place}: updatedAt column "${column.name}" is of type ${column.type}. It must be timestamptz, or timestamp with "timeZone" in the configuration.`,
  );
}

/**
 * Requires a column of text: any type may be embedded whose text form people wrote.
 * Bytes and vectors are no text.
 */
function requireText(column: TableColumn, place: string): { name: string; isArray: boolean } {
  const element = column.elementType ?? column.baseType;
  if (/^(bytea|(.+\.)?(vector|halfvec|sparsevec))$/.test(element)) {
    throw new UsageError(`${place}: column "${column.name}" is of type ${column.type}, which holds no text.`);
  }
  return { name: column.name, isArray: column.elementType !== null };
}
