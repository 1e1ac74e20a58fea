/**
 * Keeps two ticks of one kind from running side by side.
 * The lock only saves work. What must hold while two ticks run holds by leases and guards.
 */
export interface TickLock {
  /**
   * Runs the work unless a tick of that name runs anywhere on this database.
   * Where such a tick runs, the call resolves with undefined at once. A tick keeps others out for
   * `atMostMs` and a few seconds at most, even where its process is frozen or gone without a word.
   */
  tryAlone<Result extends object>(
    name: string,
    atMostMs: number,
    work: () => Promise<Result>,
  ): Promise<Result | undefined>;
}
