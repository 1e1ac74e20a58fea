/**
 * Expected tokens, without a tokenizer: a quarter per UTF-16 unit, and half per UTF-8 byte beyond one per unit. Prose of any script comes out
 * within a factor of two (English about a tenth high); source code, at half of what it is, is the provider's `too-large` to find. Never
 * above the UTF-8 byte length, which bounds every byte-level BPE from above.
 */
export function estimateTokens(text: string): number {
  const units = text.length;
  return Math.ceil(units / 4 + (Buffer.byteLength(text) - units) / 2);
}
