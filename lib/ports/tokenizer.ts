/**
 * Counts and cuts texts by the model's own tokens.
 * A tokenizer is costly to load: it is asked only where bytes cannot decide.
 */
export interface Tokenizer {
  count(text: string): Promise<number>;
  /** The longest prefix of at most `maxTokens` tokens that ends on a code point. */
  truncate(text: string, maxTokens: number): Promise<{ text: string; tokens: number }>;
}
