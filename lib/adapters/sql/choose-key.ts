import { sql } from 'kysely';
import type { SourceConfig } from '../../core/config/pipeline-config.ts';
import {
  isKeyType,
  LISTED_KEY_TYPES,
  MAX_KEY_COLUMNS,
  VIEW_COLUMNS,
} from '../../core/config/source-rules.ts';
import { UsageError } from '../../core/errors.ts';
import type { KeyColumn } from '../../core/model.ts';
import { nameAsked, type SqlDatabase } from './database.ts';
import { quoteName } from './fragments.ts';
import { type FoundTable, suggestNames, type TableColumn } from './source-table.ts';

/**
 * A unique index that can stand for a key.
 * Such an index is valid, covers all rows, and is on columns without expressions. It may be
 * deferrable: what another session has committed holds no key twice.
 */
interface UniqueIndex {
  readonly isPrimary: boolean;
  readonly columns: readonly string[];
}

/** The table whose key is chosen, as sentences name it. */
interface Subject {
  /** `Source "x": table "public"."y"`, with which every sentence begins. */
  readonly subject: string;
  /** Quoted and qualified. */
  readonly table: string;
  /** Columns of the partition key; empty for a table without partitions. */
  readonly partitionedBy: readonly string[];
}

/**
 * Chooses the columns of the key: the configured ones, else those of the primary key.
 * A key has 1 to 4 columns, all NOT NULL and of a type that ids can have, and a unique index in
 * their order: the reconcile pass walks along it. Views and foreign tables have neither index nor
 * constraint: rows without a whole key are left out, and a key that stands twice shows later.
 * @throws UsageError where there is no such key.
 */
export async function chooseKey(
  db: SqlDatabase,
  table: FoundTable,
  columns: readonly TableColumn[],
  config: SourceConfig,
  subject: string,
): Promise<readonly KeyColumn[]> {
  const indexes = await readUniqueIndexes(db, table.oid);
  const about: Subject = {
    subject,
    table: quoteName(table.schema, table.name),
    partitionedBy: await readPartitionKey(db, table.oid),
  };
  const isTable = table.kind === 'r' || table.kind === 'p';
  if (!isTable && config.key === undefined) {
    throw new UsageError(
      `${subject} has no primary key. Name the columns that tell its rows apart, with key: '…' or ` +
        "key: ['…', '…'] in the source.",
    );
  }
  const names = config.key === undefined ? findPrimaryKey(indexes, about) : [config.key].flat();
  const chosen = names.map(name => {
    const column = columns.find(candidate => candidate.name === name);
    if (column !== undefined) return column;
    const suggestion = suggestNames(
      name,
      columns.map(candidate => candidate.name),
    );
    throw new UsageError(`${subject} has no key column "${name}"${suggestion}.${nameAsked(db)}`);
  });
  for (const column of chosen) requireFit(column, about);
  if (isTable) {
    requireUnique(names, indexes, about);
    for (const column of chosen) requireNotNull(column, about);
  }
  return chosen.map(({ name, type, isLoose }) => ({ name, type, ...(isLoose && { isLoose }) }));
}

function requireFit({ name, type, baseType }: TableColumn, { subject, table }: Subject): void {
  if (VIEW_COLUMNS.includes(name)) {
    throw new UsageError(
      `${subject}: key column "${name}" cannot stand beside the vectors, as the view has a column of that ` +
        "name. Name another unique NOT NULL column with key: '…', or rename this one.",
      `ALTER TABLE ${table} RENAME COLUMN ${quoteName(name)} TO ${quoteName(`${name}_id`)};`,
    );
  }
  if (isKeyType(baseType)) return;
  throw new UsageError(
    `${subject}: key column "${name}" is of type ${type}. A key may be ${LISTED_KEY_TYPES}: name another ` +
      "unique column with key: '…'.",
  );
}

function requireNotNull({ name, notNull }: TableColumn, { subject, table }: Subject): void {
  if (notNull) return;
  throw new UsageError(
    `${subject}: key column "${name}" may be NULL.`,
    `ALTER TABLE ${table} ALTER COLUMN ${quoteName(name)} SET NOT NULL;`,
  );
}

function requireUnique(names: readonly string[], indexes: readonly UniqueIndex[], about: Subject): void {
  const { subject, table, partitionedBy } = about;
  if (indexes.some(index => index.columns.join('\0') === names.join('\0'))) return;
  const wanted = listNames(names);
  const what = `${subject}: ${names.length === 1 ? 'key column' : 'the key'} ${wanted} is not unique`;
  const inOtherOrder = indexes.find(index => hasSameNames(index.columns, names));
  if (inOtherOrder !== undefined) {
    throw new UsageError(
      `${subject}: the unique index of the key ${wanted} has its columns in another order. Name them in ` +
        `the order of the index: key: ${writeNames(inOtherOrder.columns)}.`,
    );
  }
  // A unique index of a partitioned table must have all columns of the partition key.
  const missing = partitionedBy.filter(name => !names.includes(name));
  if (missing.length > 0) {
    const whole = [...names, ...missing];
    const index = indexes.find(({ columns }) => hasSameNames(columns, whole));
    throw new UsageError(
      `${what}, and cannot be: a unique index of a partitioned table has to contain its partition key ` +
        `(${listNames(missing)}). Name the whole key: key: ${writeNames(index?.columns ?? whole)}.`,
      index === undefined ? `CREATE UNIQUE INDEX ON ${table} (${quoteAll(whole)});` : undefined,
    );
  }
  // The index of a partitioned table cannot be built concurrently in one statement.
  const concurrently = partitionedBy.length > 0 ? '' : 'CONCURRENTLY ';
  throw new UsageError(
    `${what} (it has no unique index of its own).`,
    `CREATE UNIQUE INDEX ${concurrently}ON ${table} (${quoteAll(names)});`,
  );
}

function findPrimaryKey(indexes: readonly UniqueIndex[], { subject }: Subject): readonly string[] {
  const primary = indexes.find(index => index.isPrimary);
  if (primary === undefined) {
    throw new UsageError(
      `${subject} has no primary key. Name a unique NOT NULL column with key: '…' in the source, or ` +
        "several with key: ['…', '…'].",
    );
  }
  if (primary.columns.length <= MAX_KEY_COLUMNS) return primary.columns;
  throw new UsageError(
    `${subject} has a primary key of ${primary.columns.length} columns ` +
      `(${listNames(primary.columns)}); a key may have ${MAX_KEY_COLUMNS}. Name other unique NOT NULL ` +
      "columns with key: ['…', '…'] in the source; add one where the table has none.",
  );
}

const listNames = (names: readonly string[]) => names.map(name => `"${name}"`).join(', ');
const quoteAll = (names: readonly string[]) => names.map(name => quoteName(name)).join(', ');
const writeNames = (names: readonly string[]) =>
  `[${names.map(name => `'${name.replaceAll("'", "\\'")}'`).join(', ')}]`;

function hasSameNames(left: readonly string[], right: readonly string[]): boolean {
  return left.length === right.length && left.every(name => right.includes(name));
}

async function readUniqueIndexes(db: SqlDatabase, tableOid: number): Promise<readonly UniqueIndex[]> {
  const found = await sql<{ isPrimary: boolean; columns: string }>`
    SELECT i.indisprimary AS "isPrimary",
           (SELECT json_agg(a.attname ORDER BY k.place)::text
              FROM unnest(i.indkey::int2[]) WITH ORDINALITY AS k (attnum, place)
              JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
             WHERE k.place <= i.indnkeyatts) AS columns
      FROM pg_index i
     WHERE i.indrelid = ${tableOid}::oid AND i.indisunique AND i.indisvalid
       AND i.indpred IS NULL AND i.indexprs IS NULL`.execute(db.kysely);
  return found.rows.map(row => ({
    isPrimary: row.isPrimary,
    columns: JSON.parse(row.columns) as string[],
  }));
}

/** Reads the partition key; an expression of it has no column and is left out. */
async function readPartitionKey(db: SqlDatabase, tableOid: number): Promise<readonly string[]> {
  const found = await sql<{ name: string }>`
    SELECT a.attname::text AS name
      FROM pg_partitioned_table p
     CROSS JOIN unnest(p.partattrs::int2[]) WITH ORDINALITY AS k (attnum, place)
      JOIN pg_attribute a ON a.attrelid = p.partrelid AND a.attnum = k.attnum
     WHERE p.partrelid = ${tableOid}::oid
     ORDER BY k.place`.execute(db.kysely);
  return found.rows.map(({ name }) => name);
}
