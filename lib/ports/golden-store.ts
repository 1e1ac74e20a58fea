/**
 * Vectors of the golden texts, as a model gave them at its first check.
 * @throws FreshetError from every method, classified from the SQLSTATE.
 */
export interface GoldenStore {
  /** The recorded vectors; undefined where the model was never checked. */
  find(key: GoldenKey): Promise<GoldenRecord | undefined>;
  /**
   * Records the vectors of a model's first check.
   * The first record stays: where two checks record at the same time, the later one changes
   * nothing.
   */
  record(key: GoldenKey, alias: string, vectors: readonly Buffer[]): Promise<void>;
  /** Stores that the vectors were compared and agreed just now. */
  confirm(key: GoldenKey): Promise<void>;
}

export interface GoldenKey {
  /** The result of `fingerprintModel`. */
  readonly modelFingerprint: string;
  /** The `GOLDEN_TEXT_VERSION` of the texts that were embedded. */
  readonly textVersion: number;
}

export interface GoldenRecord {
  /** One vector per golden text, float32, little-endian. */
  readonly vectors: readonly Buffer[];
  readonly recordedAt: string;
  /** Seconds since the vectors agreed last. */
  readonly ageSeconds: number;
}
