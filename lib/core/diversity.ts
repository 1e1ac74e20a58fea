/**
 * Chooses hits that are near to the query and differ from each other (maximal marginal relevance).
 * Each step takes the candidate with the highest `(1 - d) * similarity - d * nearest`, where
 * `nearest` is its similarity to the nearest hit that was taken before (Carbonell and Goldstein,
 * 1998).
 * @param candidates by falling similarity to the query
 * @param diversity `d`, 0 to 1; 0 leaves the order as it is
 */
export function chooseDiverse<
  Candidate extends { readonly similarity: number; readonly vector: Float32Array },
>(candidates: readonly Candidate[], diversity: number, limit: number): readonly Candidate[] {
  const left = candidates.map(candidate => ({
    candidate,
    norm: Math.hypot(...candidate.vector),
    nearest: Number.NEGATIVE_INFINITY,
  }));
  const chosen: Candidate[] = [];
  while (chosen.length < limit && left.length > 0) {
    let best = 0;
    let bestScore = Number.NEGATIVE_INFINITY;
    for (const [place, { candidate, nearest }] of left.entries()) {
      const penalty = chosen.length === 0 ? 0 : nearest;
      const score = (1 - diversity) * candidate.similarity - diversity * penalty;
      if (score > bestScore) {
        bestScore = score;
        best = place;
      }
    }
    const [taken] = left.splice(best, 1);
    chosen.push(taken!.candidate);
    for (const other of left) other.nearest = Math.max(other.nearest, cosine(taken!, other));
  }
  return chosen;
}

interface Measured {
  readonly candidate: { readonly vector: Float32Array };
  readonly norm: number;
}

function cosine(left: Measured, right: Measured): number {
  const { vector } = left.candidate;
  let product = 0;
  for (let place = 0; place < vector.length; place += 1)
    product += vector[place]! * right.candidate.vector[place]!;
  return product / (left.norm * right.norm);
}
