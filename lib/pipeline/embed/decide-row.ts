import type { OutcomeEntry, RowReading } from '../../core/model/result-object.ts';
import type { Space } from '../../core/model/space.ts';
import type { Outcome } from '../../core/model/vocabulary.ts';
import { fingerprintText } from '../../core/text/fingerprint-text.ts';
import { prepareText } from '../../core/text/prepare-text.ts';
import type { SourceReading } from '../../ports/embedding-store.ts';
import type { Tokenizer } from '../../ports/tokenizer.ts';
import { keepText, type TextLimits } from './keep-text.ts';

/** A row whose outcome is known without the provider, or the text to embed for the row. */
export type RowDecision =
  | { readonly kind: 'outcome'; readonly reading: SourceReading; readonly entry: OutcomeEntry }
  | { readonly kind: 'text'; readonly reading: SourceReading; readonly prepared: PreparedText };

export interface PreparedText {
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
  const prepared = prepareText(reading.columns, space.source);
  const textLength = reading.cut ? reading.textLength : prepared.length;
  const decided = (outcome: Outcome): RowDecision => ({
    kind: 'outcome',
    reading,
    entry: withoutVector(reading, outcome, { contentHash: fingerprintText(prepared), textLength }),
  });
  if (prepared === '') return decided('excluded:empty');
  const skipsCut = reading.cut && space.source.overLimit === 'skip';
  const text = skipsCut ? undefined : await keepText(space, prepared, limits, tokenizer);
  if (text === undefined) return decided('too-long');
  const contentHash = fingerprintText(text);
  return { kind: 'text', reading, prepared: { text, contentHash, textLength, keptLength: text.length } };
}

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
