/** Keeps two ticks of one kind from running side by side. It saves work; what must hold with two of them holds by leases and guards. */
export interface TickLock {
  /**
   * Runs the work unless a tick of that name runs anywhere on this database; then it resolves with undefined at once. Nobody is kept out for
   * longer than `atMostMs`, even where the process that began is frozen or gone without a word.
   */
  tryAlone<Result extends object>(
    name: string,
    atMostMs: number,
    work: () => Promise<Result>,
  ): Promise<Result | undefined>;
}
