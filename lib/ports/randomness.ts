/** Random numbers and identifiers. Tests give a source with a seed. */
export interface Randomness {
  /** A number from 0 up to but not including 1, uniformly distributed. */
  fraction(): number;
  /** A UUID. */
  identifier(): string;
}
