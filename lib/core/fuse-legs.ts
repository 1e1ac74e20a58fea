/** Rows by which similarities are scaled, where there are so many: the nearest is 1, the last 0. */
const SCALED_BY = 50;
/** One of so many of those rows, the nearest ones, tells which words the model met. */
const NEAREST_SHARE = 7;
/** What a row is worth with all words, and with all of those that the nearest rows lack. */
const WORTH = { words: 0.5, unmet: 1 } as const;

/** A row of the list by vectors, nearest first. */
interface NearRow {
  readonly id: string;
  readonly similarity: number;
}

/** A row of the list by words, best first. */
interface WordedRow {
  readonly id: string;
  /** Null: it has none. */
  readonly similarity: number | null;
  /** The words of the query that it has, by their places in the query. */
  readonly terms: readonly number[];
}

interface Legs {
  readonly near: readonly NearRow[];
  readonly worded: readonly WordedRow[];
  /** Of the weight of the query's words, what each has; less than 1 in all if one is nowhere. */
  readonly shares: readonly number[];
}

/**
 * Fuses what vectors and what words found.
 * A row counts by its similarity, scaled to those of the list, and by the share of the words that
 * it has. Words count most where vectors are blind: if none of the nearest rows has a word, the
 * model missed it. If some have it, it was understood, and other rows that have it are no better.
 * Equal scores are ordered by the first list that has one of the ids: the same each time.
 * @param weights how much each leg counts; one of 0 takes no part
 * @returns ids with their scores, the largest first
 */
export function fuseLegs(
  { near, worded, shares }: Legs,
  weights: { readonly semantic: number; readonly keyword: number },
): readonly { readonly id: string; readonly score: number }[] {
  const meant = weights.semantic > 0 ? near : [];
  const scale = scaleBy(meant);
  const met = readMetTerms(meant, worded);
  const scores = new Map(
    meant.map(({ id, similarity }) => [id, weights.semantic * scale(similarity)] as const),
  );
  for (const { id, similarity, terms } of weights.keyword > 0 ? worded : []) {
    const share = add(terms.map(term => shares[term]!));
    const unmet = add(terms.map(term => (met.has(term) ? 0 : shares[term]!)));
    const byMeaning = scores.get(id) ?? weights.semantic * scale(similarity);
    scores.set(id, byMeaning + weights.keyword * (WORTH.words * share + WORTH.unmet * unmet));
  }
  return [...scores].map(([id, score]) => ({ id, score })).sort((a, b) => b.score - a.score);
}

/** Models differ in how near strangers are: only the differences within a list can be compared. */
function scaleBy(near: readonly NearRow[]): (similarity: number | null) => number {
  const last = near[Math.min(near.length, SCALED_BY) - 1];
  if (last === undefined) return () => 0;
  const range = near[0]!.similarity - last.similarity;
  return similarity => {
    if (similarity === null) return 0;
    const above = similarity - last.similarity;
    return range > 0 ? Math.max(0, above / range) : Number(above >= 0);
  };
}

function readMetTerms(near: readonly NearRow[], worded: readonly WordedRow[]): ReadonlySet<number> {
  const most = Math.ceil(Math.min(near.length, SCALED_BY) / NEAREST_SHARE);
  const nearest = new Set(near.slice(0, most).map(({ id }) => id));
  return new Set(worded.flatMap(({ id, terms }) => (nearest.has(id) ? terms : [])));
}

const add = (values: readonly number[]) => values.reduce((sum, each) => sum + each, 0);
