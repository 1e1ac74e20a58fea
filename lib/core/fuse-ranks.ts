/**
 * Softens the difference between the first places. At the paper's 60, whatever stands in both lists
 * comes before the first hit of one: words that many rows share outvoted what was meant.
 */
const SMOOTHING = 10;

/** A list of ids, best first, and how much it counts. */
interface RankedList {
  readonly ids: readonly string[];
  readonly weight: number;
}

/**
 * Fuses lists by the places of their ids: reciprocal rank fusion (Cormack et al., 2009).
 * Places alone are compared, since similarities and scores of words have no common measure.
 * Equal sums are ordered by the first list that has one of the ids, and so are the same each time.
 * @returns ids with their sums, the largest first
 */
export function fuseRanks(
  lists: readonly RankedList[],
): readonly { readonly id: string; readonly score: number }[] {
  const scores = new Map<string, number>();
  for (const { ids, weight } of lists)
    for (const [place, id] of ids.entries())
      scores.set(id, (scores.get(id) ?? 0) + weight / (SMOOTHING + place + 1));
  return [...scores].map(([id, score]) => ({ id, score })).sort((a, b) => b.score - a.score);
}
