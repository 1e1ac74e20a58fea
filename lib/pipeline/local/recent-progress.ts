import type { Clock } from '../../ports/clock.ts';

const WINDOW_MS = 1_000;

export interface RecentProgress {
  /** Whenever it grew; the rows done since some beginning. */
  note(rowsDone: number): void;
  /** Rows done in the last second. */
  finishedRows(): number;
}

/** `rowsDone` are those before now, which count as long ago. */
export function createRecentProgress(clock: Clock, rowsDone: number): RecentProgress {
  /** The first stands at the window's beginning or before it, all others are within. */
  let noted: { readonly atMs: number; readonly rowsDone: number }[] = [
    { atMs: Number.NEGATIVE_INFINITY, rowsDone },
  ];
  const forget = () => {
    const beginsAtMs = clock.now() - WINDOW_MS;
    const first = noted.findLastIndex(({ atMs }) => atMs <= beginsAtMs);
    if (first > 0) noted = noted.slice(first);
  };
  return {
    note(rows) {
      forget();
      noted.push({ atMs: clock.now(), rowsDone: rows });
    },
    finishedRows() {
      forget();
      return (noted.at(-1)?.rowsDone ?? 0) - (noted[0]?.rowsDone ?? 0);
    },
  };
}
