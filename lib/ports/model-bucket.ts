/**
 * A bucket that models are published into.
 * @throws FreshetError from every method.
 */
export interface ModelBucket {
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
