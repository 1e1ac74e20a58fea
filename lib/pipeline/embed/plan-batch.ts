import type { CopyEntry, OutcomeEntry, TouchEntry } from '../../core/model/result-object.ts';
import type { Space } from '../../core/model/space.ts';
import type { Outcome } from '../../core/model/vocabulary.ts';
import type { EmbeddingStore, SourceReading } from '../../ports/embedding-store.ts';
import { type PreparedText, pickReading, type RowDecision, withoutVector } from './decide-row.ts';

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
  store: EmbeddingStore,
  space: Space,
  decisions: readonly RowDecision[],
): Promise<BatchPlan> {
  const outcomes: OutcomeEntry[] = [];
  const copies: CopyEntry[] = [];
  const touches: TouchEntry[] = [];
  const waiting = new Map<string, TextDecision[]>();
  const settle = (reading: SourceReading, entry: OutcomeEntry) => {
    if (keepsOutcome(reading, entry.outcome, entry.contentHash)) {
      touches.push({ ...pickReading(reading), contentHash: entry.contentHash ?? '' });
    } else outcomes.push(entry);
  };

  const undecided: TextDecision[] = [];
  for (const decision of decisions) {
    const { reading } = decision;
    if (decision.kind === 'outcome') settle(reading, decision.entry);
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
    } else if (refusedCode !== undefined) {
      settle(reading, withoutVector(reading, `refused:${refusedCode}`, { contentHash, textLength }));
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
