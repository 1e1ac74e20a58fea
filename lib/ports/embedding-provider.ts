/**
 * A model behind an endpoint.
 * The provider declares its limits, the pipeline packs texts within the limits, and the adapter
 * asserts them.
 */
export interface EmbeddingProvider {
  readonly limits: EmbeddingLimits;
  /**
   * Makes one call. The call is neither retried nor split.
   * The deadline covers headers and body. The reply is as the provider gave it: nobody has checked
   * the count, the order, the dimensions or the values yet.
   * @throws FreshetError, and nothing else.
   */
  embed(request: EmbedRequest): Promise<EmbedReply>;
}

export interface EmbeddingLimits {
  readonly maxTextsPerCall: number;
  readonly maxTokensPerCall: number;
  readonly maxBytesPerCall: number;
  /**
   * Who cuts texts to the model's limit of tokens.
   * `local`: the pipeline counts tokens and cuts texts. `server`: the endpoint's own tokenizer cuts
   * them.
   */
  readonly tokenization: 'local' | 'server';
}

export interface EmbedRequest {
  readonly texts: readonly string[];
  /** Milliseconds from the start of the call, not a point in time. */
  readonly deadlineMs: number;
  readonly signal?: AbortSignal | undefined;
}

export interface EmbedReply {
  /**
   * One item per vector.
   * `index` is the position of the text in the request. `bytes` are float32, little-endian.
   */
  readonly items: readonly { readonly index: number; readonly bytes: Buffer }[];
  /** Billed tokens; undefined where the provider does not say, and then the estimate counts. */
  readonly tokens: number | undefined;
  readonly requestId: string | undefined;
  /**
   * The model that answered, as the provider names it.
   * The name is text of the provider: it is compared and never logged.
   */
  readonly model?: string | undefined;
}

/**
 * Reads a provider's key when a call needs it.
 * `fresh` goes past every cache. A caller asks for it once, after the provider refused the key.
 */
export type KeySource = (options?: { readonly fresh: boolean }) => Promise<string>;
