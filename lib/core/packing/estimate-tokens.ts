/**
 * Estimates the tokens of a text without a tokenizer.
 * A UTF-16 unit counts a quarter, and each UTF-8 byte beyond one per unit counts half. Prose of any
 * script is estimated within a factor of two (English about a tenth too high). Source code is
 * estimated at half of its tokens; the provider answers `too-large` where that is too little. The
 * estimate is never above the UTF-8 byte length, which is an upper bound for every byte-level BPE.
 */
export function estimateTokens(text: string): number {
  const units = text.length;
  return Math.ceil(units / 4 + (Buffer.byteLength(text) - units) / 2);
}
