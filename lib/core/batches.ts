import { createHash } from 'node:crypto';
import type { ModelDefinition } from './model.ts';
import { PROVIDERS } from './providers.ts';

/** What a model with `bulk: 'batch'` is bought by, with every default filled in. */
export interface BatchTerms {
  /** Seconds after which texts that no batch has answered are bought by calls. */
  readonly deadlineSeconds: number;
  /** Tokens that the open batches of the model may hold together. */
  readonly maxEnqueuedTokens: number;
  /** Texts of one batch. */
  readonly maxTexts: number;
  /** US dollars per million tokens, by batch. */
  readonly usdPerMillionTokens: number;
}

/**
 * Seconds after which texts that no batch has answered are bought by calls, unless configured.
 * A batch is promised within 24 hours; one that ended at 24.5 hours was seen.
 */
export const DEFAULT_DEADLINE_SECONDS = 26 * 3600;
/** The smallest limit of enqueued tokens that OpenAI gives to a paying organisation. */
const DEFAULT_ENQUEUED_TOKENS = 3_000_000;
/** The results of so many texts (1536 dimensions, base64) are 80 MB, which one look reads. */
const DEFAULT_TEXTS = 10_000;

/** Returns how the bulk texts of a model are bought by batch; undefined: they are not. */
export function batchTermsOf(model: ModelDefinition): BatchTerms | undefined {
  const share = PROVIDERS[model.provider].batchPriceShare;
  if (model.bulk !== 'batch' || share === undefined) return undefined;
  const { deadlineHours, maxEnqueuedTokens, maxTexts } = model.batch ?? {};
  return {
    deadlineSeconds: deadlineHours === undefined ? DEFAULT_DEADLINE_SECONDS : deadlineHours * 3600,
    maxEnqueuedTokens: maxEnqueuedTokens ?? DEFAULT_ENQUEUED_TOKENS,
    maxTexts: maxTexts ?? DEFAULT_TEXTS,
    usdPerMillionTokens: model.usdPerMillionTokens * share,
  };
}

/** Seconds that a text waits for others before a batch that is not full is submitted. */
export const COLLECT_SECONDS = 120;
/**
 * Seconds for which a changed row counts as edited, whichever pass found it.
 * They are longer than the ticks for edits lie apart: the other pass may see an edit first.
 */
const EDITED_SECONDS = 300;
/** Seconds between two looks at a batch. */
export const LOOK_SECONDS = 60;
/**
 * Seconds that one look at a batch keeps others from it: no Lambda works longer.
 * Whoever submits a batch has as long, and only afterwards is it looked for at the provider.
 */
export const CLAIM_SECONDS = 900;
/**
 * Seconds after the deadline until a batch that does not end after its cancellation is given up.
 */
export const CANCEL_SECONDS = 3600;
/** Seconds that results which a batch counts and does not show yet are waited for. */
export const LATE_RESULTS_SECONDS = 3600;
/**
 * Looks that are taken at the least before such results are given up, however long the batch has
 * ended.
 */
export const LATE_RESULTS_LOOKS = 5;
/** Seconds after which a batch that never ended is forgotten. */
export const FORGET_SECONDS = 7 * 86_400;
/** Seconds until a model whose batch was refused is tried again. */
export const HOLD_SECONDS = 900;

/**
 * Seconds that the lease of a row lasts which waits for a batch: longer than any batch is waited
 * for.
 */
export function waitingLeaseSeconds({ deadlineSeconds }: BatchTerms): number {
  return 2 * deadlineSeconds + CANCEL_SECONDS + LATE_RESULTS_SECONDS + 6 * 3600;
}

/**
 * Chooses how many of the texts, oldest first, one batch takes.
 * Together they stay within the tokens that may still be enqueued. A text that is larger than all
 * of them is taken alone once nothing else is enqueued: it would wait for ever.
 */
export function cutBatch(
  texts: readonly { readonly tokens: number }[],
  terms: Pick<BatchTerms, 'maxEnqueuedTokens' | 'maxTexts'>,
  enqueuedTokens: number,
): number {
  let tokens = enqueuedTokens;
  let taken = 0;
  for (const text of texts.slice(0, terms.maxTexts)) {
    tokens += text.tokens;
    if (tokens > terms.maxEnqueuedTokens && !(taken === 0 && enqueuedTokens === 0)) break;
    taken += 1;
  }
  return taken;
}

/**
 * Tells whether a version of a row is so young that somebody waits for it.
 * A version that is no time is of no edit. Without a time zone it counts as UTC, as elsewhere
 * where only an age is asked for.
 */
export function isEdited(version: string | null, nowMs: number): boolean {
  if (version === null) return false;
  const hasZone = /[+-]\d\d(:?\d\d)?$|Z$/.test(version);
  const ageMs = nowMs - Date.parse(hasZone ? version : `${version}Z`);
  return Math.abs(ageMs) < EDITED_SECONDS * 1000;
}

/**
 * Makes the call id of a part of a batch's results: a UUID of version 5 (RFC 9562).
 * Whoever reads the part again makes the same id, so that the ledger has it once.
 */
export function partCallId(batchId: string, part: string): string {
  const namespace = Buffer.from(batchId.replaceAll('-', ''), 'hex');
  const bytes = createHash('sha1').update(namespace).update(part).digest().subarray(0, 16);
  bytes[6] = (bytes[6]! & 0x0f) | 0x50;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  const hex = bytes.toString('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}
