/** Time. Nothing below `lib/wiring` reads a clock or sets a timer itself. */
export interface Clock {
  /** Milliseconds since the epoch. Can step back: use it for waiting and reporting, never to decide which reading is newer. */
  now(): number;
  /** Resolves after `ms`, or at once when the signal aborts (it never rejects). */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}
