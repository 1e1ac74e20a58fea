import type { ModelDefinition } from '../../core/model.ts';
import { estimateTokens } from '../../core/packing.ts';
import type { EmbeddingLimits, EmbeddingProvider } from '../../ports/provider.ts';
import { chooseLimits } from './json-provider.ts';

const LIMITS: EmbeddingLimits = {
  maxTextsPerCall: 10_000,
  maxTokensPerCall: 10_000_000,
  maxBytesPerCall: 64 * 1024 * 1024,
  tokenization: 'server',
};

/**
 * Makes a provider by feature hashing, without a model and a network.
 * Its vectors are the same on every machine. They find similar wording, not meaning.
 */
export function createHashProvider(model: ModelDefinition): EmbeddingProvider {
  return {
    limits: chooseLimits(LIMITS, model),
    embed: async ({ texts }) => ({
      items: texts.map((text, index) => ({ index, bytes: hashText(text, model.dimensions) })),
      tokens: texts.reduce((sum, text) => sum + estimateTokens(text), 0),
      requestId: undefined,
    }),
  };
}

/**
 * How much each kind of feature counts.
 * Whole words decide; neighbours and letter groups bring near spellings closer.
 */
const WORD_WEIGHT = 1;
const PAIR_WEIGHT = 0.6;
const TRIGRAM_WEIGHT = 0.4;

/**
 * Makes a unit vector of a text, in float32 little-endian, which is never zero.
 * Features are words, word pairs and letter trigrams. The hash of a feature picks a bucket and a
 * sign; its weight grows with the logarithm of how often the feature occurs. Arithmetic alone makes
 * the vector equal on every machine.
 */
function hashText(text: string, dimensions: number): Buffer {
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

/** Counts the features of a text; a text without words (signs, emoji) is one word itself. */
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

/**
 * Scales the sums to length 1.
 * Features can cancel each other out: then the hash of the whole text picks one bucket to set.
 */
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

/**
 * FNV-1a over UTF-16 units, then a finaliser.
 * FNV alone makes the low bit, which is our sign, depend on little but the last letter.
 */
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
