export interface Randomness {
  /** Uniform in [0, 1). */
  fraction(): number;
  /** A UUID. */
  identifier(): string;
}
