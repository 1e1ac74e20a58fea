import { readDocument } from '../../core/documents.ts';
import type { Outcome, Space } from '../../core/model.ts';
import type { CopyEntry, OutcomeEntry, RowReading, TouchEntry } from '../../core/result-object.ts';
import { fingerprintText, prepareText } from '../../core/text.ts';
import type { EmbeddingStore, SourceReading } from '../../ports/outcome-store.ts';
import type { Tokenizer } from '../../ports/provider.ts';
import { keepText, type TextLimits } from './fit-texts.ts';

/** A row whose outcome is known without the provider, or the text to embed for the row. */
export type RowDecision =
  | { readonly kind: 'outcome'; readonly reading: SourceReading; readonly entry: OutcomeEntry }
  | { readonly kind: 'text'; readonly reading: SourceReading; readonly prepared: PreparedText };

interface PreparedText {
  /** The text without the model's prefix, which belongs to the space. */
  readonly text: string;
  readonly contentHash: string;
  readonly textLength: number;
  readonly keptLength: number;
}

export async function decideRow(
  space: Space,
  reading: SourceReading,
  limits: TextLimits,
  tokenizer: Tokenizer,
): Promise<RowDecision> {
  const document = readDocument(space.source.textColumns, reading.columns);
  if (document?.isKept === false) return decideGone(reading, document.contentHash);
  const prepared = prepareText(reading.columns, space.source);
  const textLength = reading.cut ? reading.textLength : prepared.length;
  const hashOf = (text: string) => document?.contentHash ?? fingerprintText(text);
  const decided = (outcome: Outcome): RowDecision => ({
    kind: 'outcome',
    reading,
    entry: withoutVector(reading, outcome, { contentHash: hashOf(prepared), textLength }),
  });
  if (prepared === '') return decided('excluded:empty');
  const skipsCut = reading.cut && space.source.overLimit === 'skip';
  const text = skipsCut ? undefined : await keepText(space, prepared, limits, tokenizer);
  if (text === undefined) return decided('too-long');
  const contentHash = hashOf(text);
  return { kind: 'text', reading, prepared: { text, contentHash, textLength, keptLength: text.length } };
}

/**
 * Decides a document whose text was deleted after it was embedded: it keeps that outcome.
 * Where the space has none of that text, as that of a new model has not, it can get none: that is a
 * failure which coverage shows, and never an empty text, which would take a vector away.
 */
function decideGone(reading: SourceReading, contentHash: string): RowDecision {
  const { stored } = reading;
  const outcome = stored?.contentHash === contentHash ? stored.outcome : TEXT_GONE;
  const known = { contentHash, textLength: 0 };
  return { kind: 'outcome', reading, entry: withoutVector(reading, outcome, known) };
}

/** The outcome of a document whose text is gone in a space that holds nothing made from it. */
const TEXT_GONE = 'undelivered:text-gone';

export function withoutVector(
  reading: RowReading,
  outcome: Outcome,
  known: { readonly contentHash: string | null; readonly textLength: number; readonly keptLength?: number },
): OutcomeEntry {
  return {
    ...pickReading(reading),
    outcome,
    contentHash: known.contentHash,
    textLength: known.textLength,
    keptLength: known.keptLength ?? 0,
    tokens: 0,
  };
}

/**
 * Picks the four fields that identify a reading.
 * A reading carries text, and text must go no further.
 */
export function pickReading({ id, version, xid, readAt }: RowReading): RowReading {
  return { id, version, xid, readAt };
}

/**
 * What becomes of each row of a message.
 * A row is settled without a call, or waits for the vector of a unique text.
 */
export interface BatchPlan {
  readonly outcomes: readonly OutcomeEntry[];
  readonly copies: readonly CopyEntry[];
  readonly touches: readonly TouchEntry[];
  readonly toBuy: readonly UniqueText[];
}

export interface UniqueText {
  readonly text: string;
  readonly contentHash: string;
  readonly rows: readonly { readonly reading: SourceReading; readonly prepared: PreparedText }[];
}

type TextDecision = Extract<RowDecision, { kind: 'text' }>;

/**
 * Plans a message's rows: outcomes, copies, touches, and texts to buy.
 * A row keeps its outcome (a touch) when the row would get the same outcome from the same text. A
 * refused text is compared with the memory of verdicts, not with the stored outcome alone: `retry`
 * removes the verdict, and the row is tried again.
 */
export async function planBatch(
  store: Pick<EmbeddingStore, 'lookUpHashes'>,
  space: Space,
  decisions: readonly RowDecision[],
): Promise<BatchPlan> {
  const outcomes: OutcomeEntry[] = [];
  const copies: CopyEntry[] = [];
  const touches: TouchEntry[] = [];
  const waiting = new Map<string, TextDecision[]>();
  const addOutcome = (reading: SourceReading, entry: OutcomeEntry) => {
    if (keepsOutcome(reading, entry.outcome, entry.contentHash)) {
      touches.push({ ...pickReading(reading), contentHash: entry.contentHash ?? '' });
    } else outcomes.push(entry);
  };

  const undecided: TextDecision[] = [];
  for (const decision of decisions) {
    const { reading } = decision;
    if (decision.kind === 'outcome') addOutcome(reading, decision.entry);
    else if (keepsOutcome(reading, 'embedded', decision.prepared.contentHash)) {
      touches.push({ ...pickReading(reading), contentHash: decision.prepared.contentHash });
    } else undecided.push(decision);
  }

  const hashes = [...new Set(undecided.map(({ prepared }) => prepared.contentHash))];
  const known = hashes.length > 0 ? await store.lookUpHashes(space, hashes) : undefined;
  for (const decision of undecided) {
    const { reading, prepared } = decision;
    const { contentHash, textLength, keptLength } = prepared;
    const refusedCode = known?.refused.get(contentHash);
    if (known?.embedded.has(contentHash)) {
      copies.push({ ...pickReading(reading), contentHash, textLength, keptLength });
    } else if (keepsOutcome(reading, 'excluded:unknown-words', contentHash)) {
      touches.push({ ...pickReading(reading), contentHash });
    } else if (refusedCode !== undefined) {
      addOutcome(reading, withoutVector(reading, `refused:${refusedCode}`, { contentHash, textLength }));
    } else {
      const sharers = waiting.get(contentHash);
      if (sharers) sharers.push(decision);
      else waiting.set(contentHash, [decision]);
    }
  }
  const toBuy = [...waiting].map(([contentHash, rows]) => ({
    text: rows[0]?.prepared.text ?? '',
    contentHash,
    rows,
  }));
  return { outcomes, copies, touches, toBuy };
}

/**
 * Splits a plan into parts of at most `texts` texts to buy.
 * Rows that are settled without a call are in the first part.
 */
export function splitPlan(plan: BatchPlan, texts: number): BatchPlan[] {
  const parts = [{ ...plan, toBuy: plan.toBuy.slice(0, texts) }];
  for (let start = texts; start < plan.toBuy.length; start += texts) {
    parts.push({ outcomes: [], copies: [], touches: [], toBuy: plan.toBuy.slice(start, start + texts) });
  }
  return parts;
}

function keepsOutcome(reading: SourceReading, outcome: Outcome, contentHash: string | null): boolean {
  const { stored } = reading;
  return contentHash !== null && stored?.outcome === outcome && stored.contentHash === contentHash;
}
