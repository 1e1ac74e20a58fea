/**
 * Expected tokens, without a tokenizer: a quarter per UTF-16 unit, and half per UTF-8 byte beyond one per unit. English comes out about a
 * tenth high, Chinese at 1.25 per character. Never above the UTF-8 byte length, which bounds every byte-level BPE from above.
 */
export function estimateTokens(text: string): number {
  const units = text.length;
  return Math.ceil(units / 4 + (Buffer.byteLength(text) - units) / 2);
}
