/** A model that compares texts with a query one by one, better and dearer than vectors do. */
export interface Reranker {
  /** Texts of one call, at most. */
  readonly maxTexts: number;
  /** Characters of a text that are sent, at most. */
  readonly maxCharacters: number;
  /**
   * Gives each text its score, in their order: the larger, the better it answers the query.
   * @throws FreshetError for a server that is down, late, or answers something else
   */
  score(query: string, texts: readonly string[], signal: AbortSignal): Promise<readonly number[]>;
}
