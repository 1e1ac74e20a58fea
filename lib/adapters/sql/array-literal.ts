const PLAIN = /^[A-Za-z0-9_-]+$/;

/**
 * A PostgreSQL array in its text form, to be cast in SQL (`::bigint[]`, `::text[]`). One string for a whole list: `pg` and PGlite
 * then send the same bytes, and the statement's text does not depend on the number of elements.
 */
export function arrayLiteral(values: readonly (string | number | null)[]): string {
  return `{${values.map(quoteElement).join(',')}}`;
}

function quoteElement(value: string | number | null): string {
  if (value === null) return 'NULL';
  const text = String(value);
  if (PLAIN.test(text) && text.toUpperCase() !== 'NULL') return text;
  return `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;
}
