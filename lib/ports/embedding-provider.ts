/** A model behind an endpoint. It declares its limits; the pipeline packs within them; the adapter asserts them. */
export interface EmbeddingProvider {
  readonly limits: EmbeddingLimits;
  /**
   * One call, no retries, no splitting. Rejects with `FreshetError` only. The deadline covers headers and body.
   * The reply is as the provider gave it: nobody has checked count, order, dimensions or values yet.
   */
  embed(request: EmbedRequest): Promise<EmbedReply>;
}

export interface EmbeddingLimits {
  readonly maxTextsPerCall: number;
  readonly maxTokensPerCall: number;
  readonly maxBytesPerCall: number;
  /** `local`: we count tokens and cut texts; `server`: the endpoint's own tokenizer cuts them. */
  readonly tokenization: 'local' | 'server';
}

export interface EmbedRequest {
  readonly texts: readonly string[];
  /** Milliseconds from the start of the call, not a point in time. */
  readonly deadlineMs: number;
  readonly signal?: AbortSignal | undefined;
}

export interface EmbedReply {
  /** `bytes`: float32, little-endian. */
  readonly items: readonly { readonly index: number; readonly bytes: Buffer }[];
  /** Undefined where the provider does not say; then our own estimate counts. */
  readonly tokens: number | undefined;
  readonly requestId: string | undefined;
  /** The model that answered, as the provider names it. Its text: compared, never logged. */
  readonly model?: string | undefined;
}

/** A provider's key, read when a call needs it. `fresh` goes past every cache: asked once after the provider refused the key. */
export type KeySource = (options?: { readonly fresh: boolean }) => Promise<string>;
