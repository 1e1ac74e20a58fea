/** How much each call leaves of those before it: about the last ten count. */
const KEPT_OF_EARLIER = 0.9;
/** Tokens per second that are assumed of one worker until a call was measured. */
const ASSUMED_TOKENS_PER_SECOND = 2000;

/** A call that has ended, as the pace sees it. */
interface EndedCall {
  readonly tokens: number;
  readonly startedMs: number;
  /** Whether texts were left in the queue when the call was made. */
  readonly wasFull: boolean;
}

/**
 * How fast the queue of a model moves, told from calls that ended while others waited.
 * A call of an idle service tells nothing: one short text takes as long as many do, and other
 * workers stood still. What is measured is the time from one end to the next, so that calls at the
 * same time share it, whether they help or hinder each other.
 */
export class QueuePace {
  #tokens = 0;
  #ms = 0;
  #lastEndMs = Number.NEGATIVE_INFINITY;

  /** Notes that a call ended. */
  ended({ tokens, startedMs, wasFull }: EndedCall, nowMs: number): void {
    const sinceMs = Math.max(0, nowMs - Math.max(startedMs, this.#lastEndMs));
    this.#lastEndMs = nowMs;
    if (!wasFull) return;
    this.#tokens = KEPT_OF_EARLIER * this.#tokens + tokens;
    this.#ms = KEPT_OF_EARLIER * this.#ms + sinceMs;
  }

  /** Milliseconds until so many tokens are done. Undefined: no full call has been measured. */
  measuredMs(tokens: number): number | undefined {
    return this.#tokens === 0 ? undefined : (tokens * this.#ms) / this.#tokens;
  }

  /** The same, by an assumption where nothing was measured. */
  expectedMs(tokens: number, workers: number): number {
    return this.measuredMs(tokens) ?? (tokens * 1000) / (ASSUMED_TOKENS_PER_SECOND * workers);
  }
}
