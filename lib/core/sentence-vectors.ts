/** The tokens of one text, with those that a model puts around every text. */
type Tokens = readonly number[];

/**
 * Which tokens a model puts around every text, told from two texts that it tokenized.
 * `empty` is the empty text, `sample` any text of at least one token.
 */
export function findFrame(
  empty: Tokens,
  sample: Tokens,
): { readonly before: number; readonly after: number } {
  let before = 0;
  while (before < empty.length && empty[before] === sample[before]) before += 1;
  return { before, after: empty.length - before };
}

/** Cuts the tokens of a text to `most`, and keeps those that the model puts behind each text. */
export function cutTokens(tokens: Tokens, most: number, after: number): Tokens {
  if (tokens.length <= most) return tokens;
  return [...tokens.slice(0, Math.max(0, most - after)), ...tokens.slice(tokens.length - after)];
}

/** What a model is given for texts: `texts` rows of `width` tokens, filled up with padding. */
interface PaddedTokens {
  readonly texts: number;
  readonly width: number;
  readonly ids: BigInt64Array;
  /** 1 for a token of the text, 0 for padding. */
  readonly mask: BigInt64Array;
}

/**
 * Lays the tokens of texts out in rows of the longest one.
 * Files of tokenizers fix a width of their own, which is not used: all-MiniLM-L6-v2 says 128, and
 * would be given 128 tokens for a word.
 */
export function padTokens(texts: readonly Tokens[], paddingId: number): PaddedTokens {
  const width = Math.max(...texts.map(({ length }) => length));
  const ids = new BigInt64Array(texts.length * width).fill(BigInt(paddingId));
  const mask = new BigInt64Array(texts.length * width);
  for (const [row, tokens] of texts.entries())
    for (const [column, id] of tokens.entries()) {
      ids[row * width + column] = BigInt(id);
      mask[row * width + column] = 1n;
    }
  return { texts: texts.length, width, ids, mask };
}

/** How a model's vectors of tokens become one: their mean, or that of the first token. */
export type Pooling = 'mean' | 'cls';

/**
 * Makes one vector a text of the vectors of its tokens; padding does not count.
 * `states` holds `width` vectors of `dimensions` a text. The result holds the texts' vectors one
 * behind the other, each of length 1 if `isNormalized`.
 */
export function poolTokens(
  states: Float32Array,
  { texts, width, mask }: PaddedTokens,
  { pooling, isNormalized }: { readonly pooling: Pooling; readonly isNormalized: boolean },
): Float32Array {
  const dimensions = states.length / (texts * width);
  const pooled = new Float32Array(texts * dimensions);
  const sums = new Float64Array(dimensions);
  for (let text = 0; text < texts; text += 1) {
    sums.fill(0);
    let count = 0;
    for (let token = 0; token < (pooling === 'cls' ? 1 : width); token += 1) {
      if (mask[text * width + token] === 0n) continue;
      count += 1;
      const start = (text * width + token) * dimensions;
      for (let place = 0; place < dimensions; place += 1) sums[place]! += states[start + place]!;
    }
    for (let place = 0; place < dimensions; place += 1)
      pooled[text * dimensions + place] = sums[place]! / Math.max(1, count);
  }
  if (isNormalized) normalizeEach(pooled, dimensions);
  return pooled;
}

/** Scales each vector of a list to length 1, in place; a vector without a direction stays. */
export function normalizeEach(vectors: Float32Array, dimensions: number): void {
  for (let start = 0; start < vectors.length; start += dimensions) {
    let squares = 0;
    for (let place = start; place < start + dimensions; place += 1) squares += vectors[place]! ** 2;
    if (squares === 0) continue;
    const factor = 1 / Math.sqrt(squares);
    for (let place = start; place < start + dimensions; place += 1) vectors[place]! *= factor;
  }
}
