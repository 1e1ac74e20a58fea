import { nearestWord } from '../../../core/config/nearest-word.ts';

/** Ends a sentence about a missing name with the nearest existing name, else the first three. */
export function suggestNames(wanted: string, existing: readonly string[]): string {
  if (existing.length === 0) return ' (there is none)';
  const nearest = nearestWord(wanted, existing);
  if (nearest !== undefined) return `; nearest: "${nearest}"`;
  const first = existing.slice(0, 3).map(name => `"${name}"`);
  return `; there ${existing.length > 3 ? `are ${existing.length}, among them` : 'is'} ${first.join(', ')}`;
}
