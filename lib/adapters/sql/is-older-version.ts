/**
 * Tells whether dotted version `a` is older than `b`: "0.8" is older than "0.10.1".
 * A part that is not a number counts as 0.
 */
export function isOlderVersion(a: string, b: string): boolean {
  const left = a.split('.').map(part => Number.parseInt(part, 10) || 0);
  const right = b.split('.').map(part => Number.parseInt(part, 10) || 0);
  for (let place = 0; place < Math.max(left.length, right.length); place += 1) {
    const difference = (left[place] ?? 0) - (right[place] ?? 0);
    if (difference !== 0) return difference < 0;
  }
  return false;
}
