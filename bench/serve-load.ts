/** What a call of the simulated model takes, and each text of it. */
export const CALL_MS = 50;
export const TEXT_MS = 10;

/** What clients of the load ask for: a word or two more than people type, or a sentence. */
export type TextKind = 'queries' | 'sentences';

const WORDS =
  'harbour lamp bread river winter garden music doctor window silver market horse island letter ' +
  'coffee bridge summer forest camera engine dinner guitar planet castle mirror school basket ' +
  'flower rocket pencil meadow desert butter ticket farmer tunnel violin pepper anchor cotton';
const ALL = WORDS.split(' ');
/** Tokens of a MiniLM: three words and its frame are 5, with these 22. */
const REST = ' was what they talked about when the last train had left and nobody knew the way';

/** The text of a number: others for other numbers, up to 64,000. */
export function writeText(kind: TextKind, number: number): string {
  const { length } = ALL;
  const places = [number, Math.floor(number / length), Math.floor(number / length ** 2)];
  const words = places.map(place => ALL[place % length]).join(' ');
  return kind === 'queries' ? words : words + REST;
}

/** What the service tells of itself since it was asked last. */
export interface ServiceUsage {
  /** Processor time of the service, and of the process of its model, in milliseconds. */
  readonly ownCpuMs: number;
  readonly modelCpuMs: number;
  /** How long the process did not look at its events, in milliseconds. */
  readonly pauseP99Ms: number;
  readonly longestPauseMs: number;
  /** From a request's arrival to its vectors, without the client's own waits. */
  readonly answeredP99Ms: number;
}

/** A number below which this share of the numbers lies. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((left, right) => left - right);
  return sorted[Math.floor(share * (sorted.length - 1))] ?? 0;
}
