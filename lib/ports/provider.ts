import type { ExclusionReason, InputRole } from '../core/model.ts';
import type { FileDigests } from '../core/model-manifest.ts';
import type { RateLimits } from '../core/rate.ts';

/**
 * A model behind an endpoint.
 * The provider declares its limits, the pipeline packs texts within the limits, and the adapter
 * asserts them.
 */
export interface EmbeddingProvider {
  readonly limits: EmbeddingLimits;
  /**
   * Makes one call. The call is neither retried nor split, but for a key that was rotated and for
   * a way to ask that the server refuses.
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
  /** What the texts are to the model. Undefined: documents. */
  readonly role?: InputRole | undefined;
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
  /**
   * The texts for which the model has no vector though nothing failed, by position in the request.
   * Such a text has no item. Undefined: there are none.
   */
  readonly excluded?: readonly { readonly index: number; readonly reason: ExclusionReason }[];
  /** Billed tokens; undefined where the provider does not say, and then the estimate counts. */
  readonly tokens: number | undefined;
  readonly requestId: string | undefined;
  /**
   * The model that answered, as the provider names it.
   * The name is text of the provider: it is compared and never logged.
   */
  readonly model?: string | undefined;
  /** What the provider allows a minute, where the answer says so. */
  readonly rateLimits?: RateLimits | undefined;
}

/**
 * Reads a provider's key when a call needs it.
 * `fresh` goes past every cache. A caller asks for it once, after the provider refused the key.
 */
export type KeySource = (options?: { readonly fresh: boolean }) => Promise<string>;

/**
 * Counts and cuts texts by the model's own tokens.
 * A tokenizer is costly to load: it is asked only where bytes cannot decide.
 */
export interface Tokenizer {
  count(text: string): Promise<number>;
  /** The longest prefix of at most `maxTokens` tokens that ends on a code point. */
  truncate(text: string, maxTokens: number): Promise<{ text: string; tokens: number }>;
}

/** Secrets by their ARN. */
export interface SecretStore {
  /**
   * Reads the string of a secret, which is cached for at most five minutes.
   * `fresh` goes past the cache, for a caller whom the cached value did not let in.
   * @throws FreshetError, and nothing else. The error never holds the value.
   */
  read(secretArn: string, options?: { readonly fresh: boolean }): Promise<string>;
}

/**
 * A bucket that models are published into.
 * @throws FreshetError from every method.
 */
export interface ModelFileStore {
  readonly name: string;
  /**
   * Size in bytes and checksum of an object; undefined: there is no such object.
   * `checksum` is undefined where the object was put without a SHA-256.
   */
  head(key: string): Promise<{ readonly bytes: number; readonly checksum: string | undefined } | undefined>;
  /**
   * Puts an object with its SHA-256; a large object goes in parts of `PART_BYTES`.
   * `bytes` is the length of the whole body that `open` gives. `onSent` is told the bytes that were
   * sent so far.
   */
  put(
    key: string,
    bytes: number,
    open: () => AsyncIterable<Buffer>,
    options: { readonly signal: AbortSignal; readonly onSent: (bytes: number) => void },
  ): Promise<void>;
}

/** A file of a model's folder, with the digests of its contents. */
export interface FolderFile extends FileDigests {
  /** Path within the folder, with slashes. */
  readonly path: string;
  /** Opens the bytes of the file. Every call begins at the first byte. */
  open(): AsyncIterable<Buffer>;
}
