import { FIELD_CHECKS, type FieldKind } from './field-checks.ts';

type Fields = Readonly<Record<string, FieldKind>>;

/** One array per field. Throws a `RangeError` that names the field whose value could not be read back. */
export function toColumns(rows: readonly object[], fields: Fields): Record<string, unknown[]> {
  return Object.fromEntries(
    Object.entries(fields).map(([name, kind]) => {
      const isValid = FIELD_CHECKS[kind];
      const column = rows.map(row => (row as Record<string, unknown>)[name]);
      if (!column.every(value => isValid(value))) throw new RangeError(`"${name}" is no ${kind}.`);
      return [name, column];
    }),
  );
}

/** Throws a `RangeError` for a missing field, lists of different lengths or a value of the wrong kind. */
export function fromColumns<Row>(columns: unknown, fields: Fields): Row[] {
  if (typeof columns !== 'object' || columns === null) throw new RangeError('A list is missing.');
  const named = Object.entries(fields).map(([name, kind]) => {
    const column: unknown = (columns as Record<string, unknown>)[name];
    const isValid = FIELD_CHECKS[kind];
    if (!Array.isArray(column) || !column.every(value => isValid(value))) {
      throw new RangeError(`"${name}" is no list of ${kind}.`);
    }
    return [name, column] as const;
  });
  const count = named[0]?.[1].length ?? 0;
  if (named.some(([, column]) => column.length !== count)) throw new RangeError('Lists differ in length.');
  return Array.from({ length: count }, (_, position) => {
    const row: Record<string, unknown> = {};
    for (const [name, column] of named) row[name] = column[position];
    return row as Row;
  });
}
