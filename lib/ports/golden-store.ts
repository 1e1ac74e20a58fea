/** Vectors of the golden texts as a model gave them at its first check. */
export interface GoldenStore {
  find(key: GoldenKey): Promise<GoldenRecord | undefined>;
  /** Keeps the first: where two record at the same time, the later one changes nothing. */
  record(key: GoldenKey, alias: string, vectors: readonly Buffer[]): Promise<void>;
  /** The vectors were compared and agreed just now. */
  confirm(key: GoldenKey): Promise<void>;
}

export interface GoldenKey {
  /** Of `fingerprintModel`. */
  readonly modelFingerprint: string;
  readonly textVersion: number;
}

export interface GoldenRecord {
  /** Float32, little-endian, one per golden text. */
  readonly vectors: readonly Buffer[];
  readonly recordedAt: string;
  /** Since they agreed last. */
  readonly ageSeconds: number;
}
