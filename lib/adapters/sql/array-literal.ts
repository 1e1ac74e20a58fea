/**
 * Elements that need no quotes: words, numbers, hashes, ids and timestamps.
 * PostgreSQL keeps a space inside an element and drops a space at its ends.
 */
const PLAIN = /^[\w+:.-]+(?: [\w+:.-]+)*$/;

/**
 * Writes a PostgreSQL array in its text form, to be cast in SQL (`::bigint[]`, `::text[]`).
 * A whole list is one string. `pg` and PGlite then send the same bytes, and the statement's text
 * does not depend on the number of elements.
 */
export function arrayLiteral(values: readonly (string | number | null)[]): string {
  return `{${values.map(toElement).join(',')}}`;
}

function toElement(value: string | number | null): string | number {
  if (value === null) return 'NULL';
  if (typeof value === 'number' || (PLAIN.test(value) && !isNull(value))) return value;
  return `"${value.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;
}

/** Tells whether the unquoted text would mean NULL, which it does in any case of its letters. */
function isNull(text: string): boolean {
  return text.length === 4 && text.toUpperCase() === 'NULL';
}
