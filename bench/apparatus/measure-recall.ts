import { type Kysely, sql } from 'kysely';
import type { SearchAnswer } from '../../lib/ports/search.ts';

/** Share of the nearest that were found, of all that were there to find. */
export interface Recall {
  readonly recall: number;
  /** Searches that compared every row. */
  readonly exact: number;
  readonly medianMs: number;
}

interface RecallSetting {
  readonly kysely: Kysely<never>;
  /** `FROM` of the rows `s` and their vectors `v`, as SQL. */
  readonly from: string;
  readonly vectors: readonly string[];
  readonly limit: number;
}

/** Distances of equal vectors differ in the last digit, by which leg computes them. */
const SAME_DISTANCE = 1e-6;

/** Reads the distance of the farthest row that a search of each vector should find. */
export async function readFarthest(
  { kysely, from, vectors, limit }: RecallSetting,
  predicate: string,
): Promise<readonly { readonly rows: number; readonly distance: number }[]> {
  const truth: { rows: number; distance: number }[] = [];
  for (const vector of vectors) {
    // The list has no order while it is made, so that no index of vectors can be chosen.
    const { rows } = await sql<{ distance: number }>`
      WITH near AS MATERIALIZED (
        SELECT v.embedding <=> ${vector}::vector AS distance ${sql.raw(from)} WHERE ${sql.raw(predicate)})
      SELECT distance FROM near ORDER BY distance LIMIT ${limit}::int`.execute(kysely);
    truth.push({ rows: rows.length, distance: rows.at(-1)?.distance ?? -1 });
  }
  return truth;
}

/** Asks each vector and counts the hits that are as near as what comparing every row finds. */
export async function measureRecall(
  { vectors }: Pick<RecallSetting, 'vectors'>,
  truth: Awaited<ReturnType<typeof readFarthest>>,
  search: (vector: number[]) => Promise<SearchAnswer>,
): Promise<Recall> {
  const times: number[] = [];
  let [found, wanted, exact] = [0, 0, 0];
  for (const [place, vector] of vectors.entries()) {
    const { rows, distance } = truth[place]!;
    const numbers = JSON.parse(vector) as number[];
    const startedAt = performance.now();
    const answer = await search(numbers);
    times.push(performance.now() - startedAt);
    wanted += rows;
    found += answer.hits.filter(({ score }) => 1 - score <= distance + SAME_DISTANCE).length;
    if (answer.exact) exact += 1;
  }
  times.sort((a, b) => a - b);
  return { recall: found / wanted, exact, medianMs: times[Math.floor(times.length / 2)]! };
}
