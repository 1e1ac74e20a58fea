import { FIELD_CHECKS, type FieldKind } from './field-checks.ts';

type Fields = Readonly<Record<string, FieldKind>>;

/**
 * Turns rows into one array per field.
 * @throws RangeError names the field whose value `fromColumns` could not read back
 */
export function toColumns(rows: readonly object[], fields: Fields): Record<string, unknown[]> {
  const columns: Record<string, unknown[]> = {};
  for (const name of Object.keys(fields)) {
    const kind = fields[name] as FieldKind;
    const isValid = FIELD_CHECKS[kind];
    const column = rows.map(row => (row as Record<string, unknown>)[name]);
    if (!column.every(isValid)) throw new RangeError(`"${name}" is no ${kind}.`);
    columns[name] = column;
  }
  return columns;
}

/**
 * Turns one array per field back into rows.
 * @throws RangeError for a missing field, lists of different lengths, or a value of the wrong kind
 */
export function fromColumns<Row>(columns: unknown, fields: Fields): Row[] {
  if (typeof columns !== 'object' || columns === null) throw new RangeError('A list is missing.');
  const names = Object.keys(fields);
  const lists = names.map(name => {
    const kind = fields[name] as FieldKind;
    const column: unknown = (columns as Record<string, unknown>)[name];
    if (!Array.isArray(column) || !column.every(FIELD_CHECKS[kind])) {
      throw new RangeError(`"${name}" is no list of ${kind}.`);
    }
    return column as readonly unknown[];
  });
  const count = lists[0]?.length ?? 0;
  if (lists.some(({ length }) => length !== count)) throw new RangeError('Lists differ in length.');
  const rows: Row[] = [];
  for (let position = 0; position < count; position += 1) {
    const row: Record<string, unknown> = {};
    for (let field = 0; field < names.length; field += 1) row[names[field]!] = lists[field]![position];
    rows.push(row as Row);
  }
  return rows;
}
