import { sql } from 'kysely';
import type { SourceConfig } from '../../../core/config/pipeline-config.ts';
import { UsageError } from '../../../core/errors/usage-error.ts';
import type { SqlDatabase } from '../sql-database.ts';
import type { FoundTable } from './find-table.ts';
import { quoteName } from './quote-name.ts';
import type { TableColumn } from './read-columns.ts';
import { suggestNames } from './suggest-names.ts';

const KEY_TYPES = ['bigint', 'integer', 'uuid', 'text', 'character varying'];

/**
 * A unique index that can stand for a key.
 * Such an index is immediate and valid, covers all rows, and is on columns without expressions.
 */
interface UniqueIndex {
  readonly isPrimary: boolean;
  readonly columns: readonly string[];
}

/**
 * Chooses the key column: the configured one, else the primary key's.
 * The key must be one column, unique, NOT NULL and of a type that ids can have.
 * @throws UsageError where there is no such column.
 */
export async function chooseKey(
  db: SqlDatabase,
  table: FoundTable,
  columns: readonly TableColumn[],
  config: SourceConfig,
  place: string,
): Promise<TableColumn> {
  const indexes = await readUniqueIndexes(db, table.oid);
  const name = config.key ?? requireSingleColumn(indexes, place);
  const column = columns.find(candidate => candidate.name === name);
  if (column === undefined) {
    const names = columns.map(candidate => candidate.name);
    throw new UsageError(`${place} has no key column "${name}"${suggestNames(name, names)}.`);
  }
  const qualified = quoteName(table.schema, table.name);
  if (!KEY_TYPES.includes(column.baseType)) {
    throw new UsageError(
      `${place}: key column "${name}" is of type ${column.type}. A key may be bigint, integer, uuid, text or varchar: name another unique column with key: '…'.`,
    );
  }
  if (!indexes.some(index => index.columns.length === 1 && index.columns[0] === name)) {
    throw new UsageError(
      `${place}: key column "${name}" is not unique (it has no unique index of its own).`,
      `CREATE UNIQUE INDEX CONCURRENTLY ON ${qualified} (${quoteName(name)});`,
    );
  }
  if (!column.notNull) {
    throw new UsageError(
      `${place}: key column "${name}" may be NULL.`,
      `ALTER TABLE ${qualified} ALTER COLUMN ${quoteName(name)} SET NOT NULL;`,
    );
  }
  return column;
}

function requireSingleColumn(indexes: readonly UniqueIndex[], place: string): string {
  const primary = indexes.find(index => index.isPrimary);
  if (primary === undefined) {
    throw new UsageError(
      `${place} has no primary key. Name a unique NOT NULL column with key: '…' in the source.`,
    );
  }
  const [first, ...rest] = primary.columns;
  if (first === undefined || rest.length > 0) {
    const list = primary.columns.map(name => `"${name}"`).join(', ');
    throw new UsageError(
      `${place} has a primary key of several columns (${list}). Name a single unique NOT NULL column with key: '…' in the source; add one where the table has none.`,
    );
  }
  return first;
}

async function readUniqueIndexes(db: SqlDatabase, tableOid: number): Promise<readonly UniqueIndex[]> {
  const found = await sql<{ isPrimary: boolean; columns: string }>`
    SELECT i.indisprimary AS "isPrimary",
           (SELECT json_agg(a.attname ORDER BY k.place)::text
              FROM unnest(i.indkey::int2[]) WITH ORDINALITY AS k (attnum, place)
              JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
             WHERE k.place <= i.indnkeyatts) AS columns
      FROM pg_index i
     WHERE i.indrelid = ${tableOid}::oid AND i.indisunique AND i.indimmediate AND i.indisvalid
       AND i.indpred IS NULL AND i.indexprs IS NULL`.execute(db.kysely);
  return found.rows.map(row => ({
    isPrimary: row.isPrimary,
    columns: JSON.parse(row.columns) as string[],
  }));
}
