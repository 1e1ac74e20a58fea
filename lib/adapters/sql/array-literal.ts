/** Words, numbers, hashes, ids and timestamps: inside an element PostgreSQL keeps a space, at its ends it drops one. */
const PLAIN = /^[\w+:.-]+(?: [\w+:.-]+)*$/;

/**
 * A PostgreSQL array in its text form, to be cast in SQL (`::bigint[]`, `::text[]`). One string for a whole list: `pg` and PGlite
 * then send the same bytes, and the statement's text does not depend on the number of elements.
 */
export function arrayLiteral(values: readonly (string | number | null)[]): string {
  return `{${values.map(toElement).join(',')}}`;
}

function toElement(value: string | number | null): string | number {
  if (value === null) return 'NULL';
  if (typeof value === 'number' || (PLAIN.test(value) && !isNull(value))) return value;
  return `"${value.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;
}

/** The word means no value, in any case. */
function isNull(text: string): boolean {
  return text.length === 4 && text.toUpperCase() === 'NULL';
}
