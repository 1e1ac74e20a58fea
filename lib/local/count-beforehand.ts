import { FreshetError } from '../core/errors.ts';
import type { Space } from '../core/model.ts';
import { readCoverages } from '../pipeline/operate/requests.ts';
import type { Clock } from '../ports/process.ts';
import type { Coverage, ReportStore } from '../ports/report-store.ts';

/** The count of the rows as they were when a run began. */
export interface CountBeforehand {
  /** Waits for the count. Rejects as the statement did. */
  read(): Promise<readonly Coverage[]>;
  /**
   * Resolves with the count where it found every row of every space fresh, excluded or failed.
   * A run that then moves no row ends as it began, and need not count once more. Undefined: rows
   * were stale or on their way, a source could not be read, or the count failed.
   */
  ifFresh(): Promise<readonly Coverage[] | undefined>;
  /** Lets nobody know of the count any more. */
  close(): void;
}

/**
 * Milliseconds that a run waits for the count, which a person sees first.
 * Ten thousand rows are counted in 20 ms. A million take a second or two, and the run begins
 * meanwhile.
 */
const COUNT_FIRST_MS = 150;
/**
 * Milliseconds from a count that took too long to the next try, which has no limit.
 * It reads both tables whole, by several processes: the first rows are embedded before.
 */
const COUNT_AGAIN_MS = 1_000;
/** The reason of each abort. Without one, an abort makes an error with a stack for nobody. */
const NEEDED = 'needed';
const TOO_LARGE = 'too large';

/**
 * Begins to count the rows, and waits for the count for a moment.
 * A large table is counted a second later, or when the count is asked for. Where its size says so
 * at once, the run does not wait.
 * `onCounted` is called when the count is there, at once or while the run works. A count that fails
 * at once fails the run too. One that fails later does not: the run meets its cause itself.
 */
export async function countBeforehand({
  reports,
  spaces,
  clock,
  onCounted,
}: {
  readonly reports: ReportStore;
  readonly spaces: readonly Space[];
  readonly clock: Clock;
  readonly onCounted: (before: readonly Coverage[]) => void;
}): Promise<CountBeforehand> {
  let closed = false;
  const needed = new AbortController();
  const waited = new AbortController();
  const count = async () => {
    try {
      return await readCoverages(reports, spaces, COUNT_FIRST_MS);
    } catch (error) {
      // Without a limit, rows that cannot be looked at are counted too.
      if (isOverTime(error)) {
        waited.abort(TOO_LARGE);
        await clock.sleep(COUNT_AGAIN_MS, needed.signal);
      }
      return closed ? [] : readCoverages(reports, spaces);
    }
  };
  const counted = count();
  const shown = counted.then(before => {
    if (!closed) onCounted(before);
  });
  shown.catch(() => undefined);
  try {
    await Promise.race([shown, clock.sleep(COUNT_FIRST_MS, waited.signal)]);
  } finally {
    waited.abort(NEEDED);
  }
  return {
    read() {
      needed.abort(NEEDED);
      return counted;
    },
    async ifFresh() {
      needed.abort(NEEDED);
      const before = await counted.catch(() => []);
      const isWhole = before.length === spaces.length;
      return isWhole && before.every(({ stale, inFlight }) => stale + inFlight === 0) ? before : undefined;
    },
    close() {
      closed = true;
      needed.abort(NEEDED);
    },
  };
}

/** Tells whether the database took longer than it was given. */
function isOverTime(error: unknown): boolean {
  return error instanceof FreshetError && error.code === 'sqlstate_57014';
}
