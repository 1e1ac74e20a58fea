/** A bucket that models are published into. Every rejection is a `FreshetError`. */
export interface ModelBucket {
  readonly name: string;
  /** Undefined: there is no such object. `checksum` is undefined where the object was put without a SHA-256. */
  head(key: string): Promise<{ readonly bytes: number; readonly checksum: string | undefined } | undefined>;
  /** Puts an object with its SHA-256, a large one in parts of `PART_BYTES`. `onSent` is told the bytes sent so far. */
  put(
    key: string,
    bytes: number,
    open: () => AsyncIterable<Buffer>,
    options: { readonly signal: AbortSignal; readonly onSent: (bytes: number) => void },
  ): Promise<void>;
}
