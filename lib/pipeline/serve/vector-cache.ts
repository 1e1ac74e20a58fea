/** A vector with the tokens that its text was billed with. */
export interface CachedVector {
  readonly bytes: Buffer;
  readonly tokens: number;
}

/** Bytes of an entry beside its vector: the key, the objects and their places in the map. */
const ENTRY_BYTES = 300;

/**
 * Keeps the vectors that were used last, within a number of bytes.
 * The keys hold the model, what the text is to it, and the text's hash: equal keys mean equal
 * vectors, so that nothing ever goes out of date within one process.
 */
export class VectorCache {
  readonly #maxBytes: number;
  readonly #entries = new Map<string, CachedVector>();
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Reads an entry, and makes it the one that was used last. */
  get(key: string): CachedVector | undefined {
    const found = this.#entries.get(key);
    if (found === undefined) return undefined;
    this.#entries.delete(key);
    this.#entries.set(key, found);
    return found;
  }

  /**
   * Stores an entry, and lets go of those that were not used for longest.
   * The bytes are copied: a provider's vectors lie in the memory of its whole reply, which a single
   * entry would keep.
   */
  set(key: string, { bytes, tokens }: CachedVector): void {
    this.#remove(key);
    const size = bytes.length + ENTRY_BYTES;
    if (size > this.#maxBytes) return;
    this.#entries.set(key, { bytes: Buffer.from(bytes), tokens });
    this.#bytes += size;
    for (const oldest of this.#entries.keys()) {
      if (this.#bytes <= this.#maxBytes) return;
      this.#remove(oldest);
    }
  }

  #remove(key: string): void {
    const found = this.#entries.get(key);
    if (found === undefined) return;
    this.#entries.delete(key);
    this.#bytes -= found.bytes.length + ENTRY_BYTES;
  }
}
