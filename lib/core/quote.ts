import type { BatchTerms } from './batches.ts';
import { type RateLimits, USED_SHARE } from './rate.ts';

/** What buying the vectors of a space will take. Counts of rows unless the name says otherwise. */
export interface SpaceQuote {
  readonly source: string;
  readonly model: string;
  /** Stale rows, of which the next six are what becomes of them. */
  readonly rows: number;
  /** Texts that are bought, each once. */
  readonly texts: number;
  /** Rows that share a text which is bought for another row. */
  readonly duplicates: number;
  /** Rows whose text has a vector already. */
  readonly copied: number;
  /** Rows whose text did not change. */
  readonly touched: number;
  /** Rows without a text to buy: empty, too long, refused before, or not readable. */
  readonly excluded: number;
  /** Share of the texts that was hashed; 1: every text. */
  readonly sampledShare: number;
  readonly calls: number;
  readonly tokens: number;
  readonly leastTokens: number;
  readonly mostTokens: number;
  readonly costUsd: number;
  readonly leastCostUsd: number;
  readonly mostCostUsd: number;
  /** Null: nothing was measured of the model yet, and no limit is known. */
  readonly seconds: number | null;
  /** What all of it costs by the provider's batches; null: the model is not bought by batch. */
  readonly batch: BatchQuote | null;
}

/** The same tokens at the price by batch. */
interface BatchQuote {
  readonly costUsd: number;
  readonly leastCostUsd: number;
  readonly mostCostUsd: number;
  /** Batches one after the other, as the limit of enqueued tokens has it. */
  readonly rounds: number;
  /** Seconds after which calls buy what a batch did not answer. */
  readonly deadlineSeconds: number;
}

/** What was counted of the rows that were read. */
export interface CountedRows {
  readonly rows: number;
  readonly texts: number;
  readonly duplicates: number;
  readonly copied: number;
  readonly touched: number;
  /** Tokens of the texts, as `estimateTokens` has them. */
  readonly estimatedTokens: number;
}

/** What is known of the model's calls, and what the configuration allows. */
export interface QuoteBasis {
  readonly usdPerMillionTokens: number;
  readonly textsPerCall: number;
  readonly tokensPerCall: number;
  readonly callsAtOnce: number;
  /** What the provider allows a minute: the governed rate is a share of it. */
  readonly limits: RateLimits;
  /** Undefined: the model is not bought by batch. */
  readonly batch?: BatchTerms | undefined;
  readonly measured: {
    readonly tokens: number;
    readonly latencyMs: number;
    readonly comparedTokens: number;
    readonly estimatedTokens: number;
    readonly ratios: readonly number[];
  };
}

/** Rows of which every text is hashed; of more rows, a part whose texts are hashed whole. */
const MOST_HASHED_ROWS = 200_000;

/** Parts of the texts of which one is hashed. */
export function countParts(staleRows: number): number {
  return Math.max(1, Math.ceil(staleRows / MOST_HASHED_ROWS));
}

/** Prose of any script is estimated within this factor, source code too: see `estimateTokens`. */
const UNMEASURED_FACTOR = 2;
/** The least error that is named, as a share: the next texts may be other ones. */
const LEAST_ERROR = 0.03;

/**
 * Composes a quote from what was counted.
 * Estimates are corrected by what the model's calls were billed so far. Their error is twice the
 * standard error of that correction, and never below three percent.
 */
export function composeQuote(
  place: { readonly source: string; readonly model: string; readonly staleRows: number },
  counted: CountedRows,
  parts: number,
  basis: QuoteBasis,
): SpaceQuote {
  const scale = counted.rows === 0 ? 0 : parts;
  const texts = counted.texts * scale;
  const { factor, least, most } = correctEstimates(basis.measured, counted.texts, parts);
  const estimated = counted.estimatedTokens * scale;
  const tokens = Math.round(estimated * factor);
  const leastTokens = Math.floor(estimated * least);
  const mostTokens = Math.ceil(estimated * most);
  const calls = Math.max(Math.ceil(texts / basis.textsPerCall), Math.ceil(tokens / basis.tokensPerCall));
  const costOf = (count: number) => (count * basis.usdPerMillionTokens) / 1e6;
  const shares = {
    duplicates: counted.duplicates * scale,
    copied: counted.copied * scale,
    touched: counted.touched * scale,
  };
  // A sample of texts says little of how many rows there are; their number is counted.
  const decided = texts + shares.duplicates + shares.copied + shares.touched;
  return {
    source: place.source,
    model: place.model,
    rows: place.staleRows,
    texts,
    ...shares,
    excluded: parts === 1 ? counted.rows - decided : Math.max(0, place.staleRows - decided),
    sampledShare: 1 / parts,
    calls,
    tokens,
    leastTokens,
    mostTokens,
    costUsd: costOf(tokens),
    leastCostUsd: costOf(leastTokens),
    mostCostUsd: costOf(mostTokens),
    seconds: expectSeconds(tokens, calls, basis),
    batch: quoteBatch(basis.batch, { tokens, leastTokens, mostTokens }),
  };
}

function quoteBatch(
  terms: BatchTerms | undefined,
  { tokens, leastTokens, mostTokens }: Pick<SpaceQuote, 'tokens' | 'leastTokens' | 'mostTokens'>,
): BatchQuote | null {
  if (terms === undefined) return null;
  const costOf = (count: number) => (count * terms.usdPerMillionTokens) / 1e6;
  return {
    costUsd: costOf(tokens),
    leastCostUsd: costOf(leastTokens),
    mostCostUsd: costOf(mostTokens),
    rounds: Math.ceil(tokens / terms.maxEnqueuedTokens),
    deadlineSeconds: terms.deadlineSeconds,
  };
}

function correctEstimates({ ratios, ...measured }: QuoteBasis['measured'], texts: number, parts: number) {
  // Of texts that fall into a part at random, their number varies by its root.
  const sampling = parts === 1 || texts === 0 ? 0 : 2 / Math.sqrt(texts);
  if (measured.estimatedTokens <= 0)
    return { factor: 1, least: (1 - sampling) / UNMEASURED_FACTOR, most: (1 + sampling) * UNMEASURED_FACTOR };
  const factor = measured.comparedTokens / measured.estimatedTokens;
  const mean = ratios.reduce((sum, ratio) => sum + ratio, 0) / Math.max(1, ratios.length);
  const squares = ratios.reduce((sum, ratio) => sum + (ratio - mean) ** 2, 0);
  const error =
    ratios.length < 2 ? LEAST_ERROR : (2 * Math.sqrt(squares / (ratios.length - 1) / ratios.length)) / mean;
  const share = Math.max(LEAST_ERROR, error) + sampling;
  return { factor, least: factor * Math.max(0, 1 - share), most: factor * (1 + share) };
}

/** Seconds by the calls that were measured, as many at once as are allowed, or by the limits. */
function expectSeconds(
  tokens: number,
  calls: number,
  { measured, callsAtOnce, limits }: QuoteBasis,
): number | null {
  if (calls === 0) return 0;
  const perMinute = (count: number, limit: number | null) =>
    limit === null ? 0 : (60 * count) / (USED_SHARE * limit);
  const governed = Math.max(
    perMinute(tokens, limits.tokensPerMinute),
    perMinute(calls, limits.requestsPerMinute),
  );
  if (measured.tokens <= 0) return governed === 0 ? null : governed;
  const byCalls = (tokens * measured.latencyMs) / measured.tokens / 1000 / Math.min(callsAtOnce, calls);
  return Math.max(byCalls, governed);
}
