import type { EmbedPorts } from '../embed/embed-ports.ts';

/** What a look at the batches of a model works with: what `embed` has. */
export type BatchPorts = Pick<
  EmbedPorts,
  | 'batches'
  | 'spaces'
  | 'embedding'
  | 'control'
  | 'providers'
  | 'tokenizer'
  | 'clock'
  | 'randomness'
  | 'metrics'
  | 'logger'
  | 'limits'
  | 'observer'
>;

/** Milliseconds of an invocation that are kept for what follows a call or a part. */
const RESERVE_MS = 10_000;
/** Milliseconds that a call of the batch service may take, where the invocation has them. */
const LONGEST_CALL_MS = 240_000;

/** Whether there is time for another call or another part of a file. */
export function hasTime(remainingMs: () => number): boolean {
  return remainingMs() > 2 * RESERVE_MS;
}

/** Milliseconds that the next call of the batch service may take. */
export function callDeadlineMs(remainingMs: () => number): number {
  return Math.max(1_000, Math.min(LONGEST_CALL_MS, remainingMs() - RESERVE_MS));
}
