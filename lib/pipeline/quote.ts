import { batchTermsOf } from '../core/batches.ts';
import type { Space } from '../core/model.ts';
import {
  type CountedRows,
  composeQuote,
  countParts,
  type QuoteBasis,
  type SpaceQuote,
} from '../core/quote.ts';
import { configuredLimits, lowerLimits, UNLIMITED } from '../core/rate.ts';
import type { EmbeddingStore } from '../ports/outcome-store.ts';
import type { PaceStore } from '../ports/pace-store.ts';
import type { EmbeddingProvider, Tokenizer } from '../ports/provider.ts';
import type { QuoteStore, ResetPlan } from '../ports/report-store.ts';
import { estimateSentTokens } from './embed/fit-texts.ts';
import { decideRow, planBatch, type RowDecision } from './embed/plan-rows.ts';

/** What says how fast and at which price a model's calls are. */
interface BasisPorts {
  readonly quotes: Pick<QuoteStore, 'measureCalls'>;
  readonly pace: Pick<PaceStore, 'readRateLimits'>;
  readonly provider: Pick<EmbeddingProvider, 'limits'>;
  readonly limits: {
    readonly batchSize: number;
    /** Calls of the model at the same time. */
    readonly callsAtOnce: number;
  };
}

/** What a quote works with: the steps of `embed` as far as nothing is bought or written. */
interface QuotePorts extends BasisPorts {
  readonly quotes: QuoteStore;
  readonly embedding: Pick<EmbeddingStore, 'readRows' | 'lookUpHashes'>;
  readonly provider: EmbeddingProvider;
  readonly tokenizer: Tokenizer;
  readonly limits: BasisPorts['limits'] & {
    readonly maxBytesPerColumn: number;
    readonly maxCharacters?: number | undefined;
  };
}

/** Rows whose texts are in memory at a time. */
const PAGE_ROWS = 1_000;

/**
 * Quotes what the next run buys for a space, without buying or writing anything.
 * Rows are decided as `embed` decides them. Above 200,000 stale rows one part of the texts is read,
 * with all rows that share each of them, and counts for the others.
 * @throws FreshetError where the database fails.
 */
export async function quoteTexts(ports: QuotePorts, space: Space): Promise<SpaceQuote> {
  const staleRows = await ports.quotes.countStaleRows(space);
  const parts = countParts(staleRows);
  const counted = await countRows(ports, space, await ports.quotes.listStaleRows(space, parts));
  const place = { source: space.source.name, model: space.model.alias, staleRows };
  return composeQuote(place, counted, parts, await readBasis(ports, space));
}

/**
 * Quotes what buying the texts of outcomes again takes, as a reset has it done.
 * Their lengths were kept when they were bought: nothing is read of the source.
 * @throws FreshetError where the database fails.
 */
export async function quoteReset(ports: BasisPorts, space: Space, plan: ResetPlan): Promise<SpaceQuote> {
  const { rows, texts, copied, excluded, tokens: estimatedTokens } = plan;
  const counted = { rows, texts, copied, duplicates: rows - texts - copied - excluded, touched: 0 };
  const place = { source: space.source.name, model: space.model.alias, staleRows: rows };
  return composeQuote(place, { ...counted, estimatedTokens }, 1, await readBasis(ports, space));
}

async function readBasis(ports: BasisPorts, space: Space): Promise<QuoteBasis> {
  const { provider, limits } = ports;
  return {
    usdPerMillionTokens: space.model.usdPerMillionTokens,
    textsPerCall: Math.min(limits.batchSize, provider.limits.maxTextsPerCall),
    tokensPerCall: provider.limits.maxTokensPerCall,
    callsAtOnce: limits.callsAtOnce,
    limits: lowerLimits(
      configuredLimits(space.model),
      (await ports.pace.readRateLimits(space.model.alias)) ?? UNLIMITED,
    ),
    batch: batchTermsOf(space.model),
    measured: await ports.quotes.measureCalls(space),
  };
}

async function countRows(ports: QuotePorts, space: Space, ids: readonly string[]): Promise<CountedRows> {
  const bought = new Set<string>();
  const counts = { rows: 0, duplicates: 0, copied: 0, touched: 0, estimatedTokens: 0 };
  for (let start = 0; start < ids.length; start += PAGE_ROWS) {
    const decisions = await decideRows(ports, space, ids.slice(start, start + PAGE_ROWS));
    const plan = await planBatch(ports.embedding, space, decisions);
    counts.rows += decisions.length;
    counts.copied += plan.copies.length;
    counts.touched += plan.touches.length;
    for (const { text, contentHash, rows } of plan.toBuy) {
      counts.duplicates += rows.length - (bought.has(contentHash) ? 0 : 1);
      if (bought.has(contentHash)) continue;
      bought.add(contentHash);
      counts.estimatedTokens += estimateSentTokens(space, text);
    }
  }
  return { ...counts, texts: bought.size };
}

/** Decides each row that can be read and whose key stands once, as `embed` does. */
async function decideRows(ports: QuotePorts, space: Space, ids: readonly string[]): Promise<RowDecision[]> {
  const { limits, provider, tokenizer } = ports;
  const readings = await ports.embedding.readRows(space, ids, limits.maxBytesPerColumn);
  const single = [...Map.groupBy(readings, ({ id }) => id).values()].filter(({ length }) => length === 1);
  const readable = single.flat().filter(({ unreadable }) => unreadable === undefined);
  const textLimits = {
    tokenization: provider.limits.tokenization,
    maxCharacters: space.source.maxCharacters ?? limits.maxCharacters,
  };
  return Promise.all(readable.map(reading => decideRow(space, reading, textLimits, tokenizer)));
}
