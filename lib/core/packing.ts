/** Unfinished embeddings of one version after which the row's outcome is `undelivered`. */
export const MAX_ATTEMPTS = 5;

/**
 * Rows per message, at most, for rows that were begun and not finished `attempts` times.
 * Messages shrink to 10 rows and then to one, so that a row that kills the process harms its
 * neighbours at most twice. One death says nothing of the rows: somebody may have killed the
 * process. Only rows that were in a batch which died twice are suspects.
 */
export function batchSizeForAttempts(attempts: number, batchSize: number): number {
  if (attempts <= 1) return batchSize;
  return attempts === 2 ? Math.min(10, batchSize) : 1;
}

/**
 * Estimates the tokens of a text without a tokenizer.
 * A UTF-16 unit counts a quarter, and each UTF-8 byte beyond one per unit counts half. Prose of any
 * script is estimated within a factor of two (English about a tenth too high). Source code is
 * estimated at half of its tokens; the provider answers `too-large` where that is too little. The
 * estimate is never above the UTF-8 byte length, which is an upper bound for every byte-level BPE.
 */
export function estimateTokens(text: string): number {
  return Math.ceil(estimateTokensOfLength(text.length, Buffer.byteLength(text)));
}

/** The estimate for a text of which only the lengths are known; a fraction for mean lengths. */
export function estimateTokensOfLength(units: number, bytes: number): number {
  return units / 4 + (bytes - units) / 2;
}

/** What a provider takes in one call. */
interface CallLimits {
  readonly maxTextsPerCall: number;
  readonly maxTokensPerCall: number;
  readonly maxBytesPerCall: number;
}

/**
 * Packs texts in order into as few consecutive calls as the limits allow.
 * The result holds positions of `texts`, one list per call. A text that alone exceeds a limit gets
 * a call of its own: the caller decides whether it is cut, skipped or tried.
 */
export function packTexts(
  texts: readonly { readonly bytes: number; readonly tokens: number }[],
  limits: CallLimits,
  maxTexts: number,
): number[][] {
  const maxCount = Math.max(1, Math.min(limits.maxTextsPerCall, maxTexts));
  const packs: number[][] = [];
  let pack: number[] = [];
  let bytes = 0;
  let tokens = 0;
  for (const [position, text] of texts.entries()) {
    const full =
      pack.length >= maxCount ||
      bytes + text.bytes > limits.maxBytesPerCall ||
      tokens + text.tokens > limits.maxTokensPerCall;
    if (full && pack.length > 0) {
      packs.push(pack);
      pack = [];
      bytes = 0;
      tokens = 0;
    }
    pack.push(position);
    bytes += text.bytes;
    tokens += text.tokens;
  }
  if (pack.length > 0) packs.push(pack);
  return packs;
}
