/** Seconds that are remembered. */
const SECONDS = 60;
/** Each step of the histogram is so many times as long as the one before it. */
const GROWTH = 1.1;
const SHORTEST_MS = 0.1;
/** The last step begins at about two minutes; a request ends sooner. */
const STEPS = 148;

/** What became of the requests of the last minute. */
export interface RecentTotals {
  readonly answered: number;
  /** Those that found the service full, ending or too slow. */
  readonly refused: number;
  /** Milliseconds within which 95 of 100 were answered, a tenth too many at most; null: none. */
  readonly p95Ms: number | null;
}

interface Second {
  second: number;
  answered: number;
  refused: number;
  readonly steps: Uint32Array;
}

/**
 * Remembers how the requests of the last minute went, in as much memory however many come.
 * Each second has a histogram of its own, whose place the second takes that comes a minute later.
 */
export class RecentRequests {
  readonly #seconds: Second[] = Array.from({ length: SECONDS }, () => ({
    ...{ second: Number.NaN, answered: 0, refused: 0, steps: new Uint32Array(STEPS) },
  }));

  noteAnswered(atMs: number, latencyMs: number): void {
    const second = this.#secondOf(atMs);
    second.answered += 1;
    const step = Math.ceil(Math.log(Math.max(latencyMs, SHORTEST_MS) / SHORTEST_MS) / Math.log(GROWTH));
    second.steps[Math.min(STEPS - 1, step)]! += 1;
  }

  noteRefused(atMs: number): void {
    this.#secondOf(atMs).refused += 1;
  }

  read(atMs: number): RecentTotals {
    const now = Math.floor(atMs / 1000);
    const recent = this.#seconds.filter(({ second }) => second > now - SECONDS && second <= now);
    const answered = recent.reduce((sum, second) => sum + second.answered, 0);
    const refused = recent.reduce((sum, second) => sum + second.refused, 0);
    let left = Math.ceil(0.95 * answered);
    if (left === 0) return { answered, refused, p95Ms: null };
    const within = Array.from({ length: STEPS }).findIndex((_, step) => {
      left -= recent.reduce((sum, { steps }) => sum + steps[step]!, 0);
      return left <= 0;
    });
    return { answered, refused, p95Ms: SHORTEST_MS * GROWTH ** within };
  }

  #secondOf(atMs: number): Second {
    const second = Math.floor(atMs / 1000);
    const held = this.#seconds[((second % SECONDS) + SECONDS) % SECONDS]!;
    if (held.second === second) return held;
    held.second = second;
    held.answered = 0;
    held.refused = 0;
    held.steps.fill(0);
    return held;
  }
}
