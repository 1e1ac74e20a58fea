import { sql } from 'kysely';
import type { SourceConfig } from '../../core/config/pipeline-config.ts';
import { UsageError } from '../../core/errors.ts';
import type { ResolvedSource } from '../../core/model.ts';
import type { SqlDatabase } from './database.ts';
import {
  chooseKey,
  type FoundTable,
  findTable,
  quoteName,
  readColumns,
  suggestNames,
  type TableColumn,
} from './find-table.ts';

/**
 * Finds the zone of a `timestamp without time zone`, spelled as the server spells it.
 * @throws UsageError where no zone is configured, or the server does not know the zone.
 */
async function checkTimeZone(db: SqlDatabase, config: SourceConfig, versionColumn: string): Promise<string> {
  if (config.timeZone === undefined) {
    throw new UsageError(
      `Source "${config.name}": column "${versionColumn}" has no time zone. Add the zone that its values are in to the source, for example timeZone: 'UTC'.`,
    );
  }
  const zones = await sql<{ name: string }>`SELECT name FROM pg_timezone_names ORDER BY name`.execute(
    db.kysely,
  );
  const names = zones.rows.map(zone => zone.name);
  const exact = names.find(name => name.toLowerCase() === config.timeZone?.toLowerCase());
  if (exact !== undefined) return exact;
  throw new UsageError(
    `Source "${config.name}": the server knows no time zone "${config.timeZone}"${suggestNames(config.timeZone, names)}.`,
  );
}

/**
 * Requires USAGE on the schema, and SELECT on the table or on each column and `xmin`.
 * @throws UsageError that begins with `place` and has the GRANTs that are missing.
 */
async function requireReadable(
  db: SqlDatabase,
  table: FoundTable,
  columns: readonly string[],
  place: string,
): Promise<void> {
  const needed = JSON.stringify([...new Set([...columns, 'xmin'])]);
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
  throw new UsageError(`${place} may not be read by role ${role}.`, grants.join(' '));
}

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
