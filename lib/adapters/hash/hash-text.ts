/** How much each kind of feature counts: whole words decide, neighbours and letter groups bring near spellings closer. */
const WORD_WEIGHT = 1;
const PAIR_WEIGHT = 0.6;
const TRIGRAM_WEIGHT = 0.4;

/**
 * A unit vector of float32, little-endian, from the words, word pairs and letter trigrams of a text: each feature's hash picks a bucket and a
 * sign, its weight grows with the logarithm of how often it occurs. Arithmetic only, so equal on every machine; never zero.
 */
export function hashText(text: string, dimensions: number): Buffer {
  const sums = new Float64Array(dimensions);
  const counts = {
    words: new Map<number, number>(),
    pairs: new Map<number, number>(),
    trigrams: new Map<number, number>(),
  };
  countFeatures(text.toLowerCase(), counts);
  addFeatures(sums, counts.words, WORD_WEIGHT);
  addFeatures(sums, counts.pairs, PAIR_WEIGHT);
  addFeatures(sums, counts.trigrams, TRIGRAM_WEIGHT);
  return toUnitVector(sums, hashRange(text, 0, text.length, 0));
}

type FeatureCounts = Readonly<Record<'words' | 'pairs' | 'trigrams', Map<number, number>>>;

/** Where there is no word (signs, emoji), the text itself is the only one. */
function countFeatures(text: string, counts: FeatureCounts): void {
  const words = text.match(/[\p{L}\p{M}\p{N}]+/gu) ?? [text];
  let previous: number | undefined;
  for (const word of words) {
    const wordHash = hashRange(word, 0, word.length, 1);
    increment(counts.words, wordHash);
    if (previous !== undefined) increment(counts.pairs, mix(previous ^ Math.imul(wordHash, 0x9e3779b1)));
    previous = wordHash;
    const padded = `^${word}$`;
    for (let start = 0; start + 3 <= padded.length; start += 1) {
      increment(counts.trigrams, hashRange(padded, start, start + 3, 2));
    }
  }
}

function increment(counts: Map<number, number>, feature: number): void {
  counts.set(feature, (counts.get(feature) ?? 0) + 1);
}

function addFeatures(sums: Float64Array, counts: ReadonlyMap<number, number>, weight: number): void {
  for (const [feature, count] of counts) {
    const bucket = (feature >>> 1) % sums.length;
    const value = weight * (1 + Math.log(count));
    sums[bucket] = (sums[bucket] ?? 0) + ((feature & 1) === 0 ? value : -value);
  }
}

/** Features can cancel each other out: then the whole text's own hash picks the one bucket that is set. */
function toUnitVector(sums: Float64Array, wholeHash: number): Buffer {
  let squares = 0;
  for (const sum of sums) squares += sum * sum;
  if (squares < 1e-12) {
    sums.fill(0);
    sums[(wholeHash >>> 1) % sums.length] = 1;
    squares = 1;
  }
  const norm = Math.sqrt(squares);
  const bytes = Buffer.allocUnsafe(sums.length * 4);
  for (const [position, sum] of sums.entries()) bytes.writeFloatLE(sum / norm, position * 4);
  return bytes;
}

/** FNV-1a over UTF-16 units, then a finaliser: FNV alone leaves the low bit, our sign, nearly the last letter's. */
function hashRange(text: string, start: number, end: number, seed: number): number {
  let state = 0x811c9dc5 ^ seed;
  for (let position = start; position < end; position += 1) {
    state = Math.imul(state ^ text.charCodeAt(position), 0x01000193);
  }
  return mix(state);
}

/** MurmurHash3's 32-bit finaliser. */
function mix(hash: number): number {
  let state = hash;
  state = Math.imul(state ^ (state >>> 16), 0x85ebca6b);
  state = Math.imul(state ^ (state >>> 13), 0xc2b2ae35);
  return (state ^ (state >>> 16)) >>> 0;
}
