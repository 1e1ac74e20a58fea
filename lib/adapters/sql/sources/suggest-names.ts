/** The end of a sentence about a name that does not exist: the nearest names that do, at most three. */
export function suggestNames(wanted: string, existing: readonly string[]): string {
  if (existing.length === 0) return ' (there is none)';
  const nearest = existing
    .map(name => ({ name, distance: editDistance(wanted.toLowerCase(), name.toLowerCase()) }))
    .sort((a, b) => a.distance - b.distance || a.name.localeCompare(b.name));
  const close = nearest.filter(({ name, distance }) => distance <= Math.max(2, name.length / 2)).slice(0, 3);
  const shown = close.length > 0 ? close : nearest.slice(0, 3);
  const list = shown.map(({ name }) => `"${name}"`).join(', ');
  return close.length > 0 ? `; nearest: ${list}` : `; there are, among ${existing.length}: ${list}`;
}

/** Levenshtein distance. */
function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, place) => place);
  for (let row = 1; row <= a.length; row += 1) {
    const current = [row];
    for (let column = 1; column <= b.length; column += 1) {
      const substituted = (previous[column - 1] ?? 0) + (a[row - 1] === b[column - 1] ? 0 : 1);
      current.push(Math.min(substituted, (previous[column] ?? 0) + 1, (current[column - 1] ?? 0) + 1));
    }
    previous = current;
  }
  return previous[b.length] ?? 0;
}
