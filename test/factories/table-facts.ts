import type { ColumnFacts, TableFacts } from '../../lib/core/config/judge-tables.ts';

/** A column of the type, as `pg_catalog` describes it; text where nothing else is said. */
export function buildColumn(name: string, type = 'text', settings: Partial<ColumnFacts> = {}): ColumnFacts {
  const elementType = type.endsWith('[]') ? type.slice(0, -2) : null;
  const baseType = type.replace(/\(\d+\)/, '');
  return {
    ...{ name, type, baseType, elementType, notNull: false },
    isString: /^(text|character varying|citext)/.test(elementType ?? baseType),
    ...settings,
  };
}

/** A table that can be a source: a primary key `id`, `title`, `body` and `updated_at`. */
export function buildTable(settings: Partial<TableFacts> = {}): TableFacts {
  const { schema = 'public', name = 'articles' } = settings;
  return {
    ...{ schema, name, quotedName: `"${schema}"."${name}"`, rows: 2000, bytes: 1_000_000, missingGrants: [] },
    columns: [
      buildColumn('id', 'bigint', { notNull: true }),
      buildColumn('title'),
      buildColumn('body'),
      buildColumn('updated_at', 'timestamp with time zone'),
    ],
    uniqueIndexes: [{ isPrimary: true, columns: ['id'] }],
    ...settings,
  };
}
