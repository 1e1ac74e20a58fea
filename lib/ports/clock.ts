/**
 * Time as the code below `lib/wiring` sees it.
 * No file below `lib/wiring` reads a clock or sets a timer itself, so that tests and the simulation
 * decide what time it is.
 */
export interface Clock {
  /**
   * Milliseconds since the epoch.
   * The value can step back. Use it for waiting and for reports, never to decide which of two
   * readings is newer.
   */
  now(): number;
  /** Resolves after `ms` milliseconds, or at once when the signal aborts. Never rejects. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}
