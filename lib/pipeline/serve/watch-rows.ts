import { describeUnexpected, FreshetError, UsageError } from '../../core/errors.ts';
import type { AskOperator } from '../../ports/operator.ts';
import type { Clock } from '../../ports/process.ts';
import type { RowsWatch, WatchedRows } from '../../ports/rows-operator.ts';

/** Readings begin at least this far apart. */
const LEAST_PAUSE_MS = 1000;
/** A reading counts whole tables: it is at work for a fifth of the time at the most. */
const PAUSE_PER_READING = 4;
/** Ids of each cause that are shown. */
const EXAMPLES = 5;

/**
 * Reads how the rows stand, for any number of people who look at the same time.
 * They share one reading. A reading that takes long is followed by a longer pause, so that looking
 * at a large table does not become its load. Nothing is read while nobody looks.
 */
export function createRowsWatch(ask: AskOperator, clock: Clock): RowsWatch {
  let latest: { readonly rows: WatchedRows; readonly readAtMs: number; readonly pauseMs: number } | undefined;
  let reading: Promise<WatchedRows> | undefined;
  let change = new AbortController();

  const readNow = async (isOutdated: AbortSignal): Promise<WatchedRows> => {
    const startedMs = clock.now();
    const rows = await readRows(ask);
    const readAtMs = clock.now();
    const pauseMs = Math.max(LEAST_PAUSE_MS, PAUSE_PER_READING * (readAtMs - startedMs));
    if (!isOutdated.aborted) latest = { rows, readAtMs, pauseMs };
    return rows;
  };
  const read = async (): Promise<WatchedRows> => {
    const ageMs = latest === undefined ? Number.NaN : clock.now() - latest.readAtMs;
    if (latest !== undefined && ageMs >= 0 && ageMs < latest.pauseMs) return latest.rows;
    if (reading === undefined) {
      const begun = readNow(change.signal).finally(() => {
        if (reading === begun) reading = undefined;
      });
      reading = begun;
    }
    return reading;
  };
  return {
    read,
    async *follow(signal) {
      while (!signal.aborted) {
        const { signal: changes } = change;
        yield await read();
        await clock.sleep(latest?.pauseMs ?? LEAST_PAUSE_MS, AbortSignal.any([signal, changes]));
      }
    },
    changed() {
      latest = undefined;
      reading = undefined;
      change.abort('changed');
      change = new AbortController();
    },
  };
}

async function readRows(ask: AskOperator): Promise<WatchedRows> {
  try {
    const status = await ask('status', {});
    const { failures } = await ask('failures', { exampleLimit: EXAMPLES });
    return { isRead: true, status, failures };
  } catch (error) {
    return { isRead: false, ...describeObstacle(error) };
  }
}

/** Words an error for a page. A message that nobody foresaw may quote a row and is not told. */
function describeObstacle(error: unknown): { message: string; remedy: string | undefined } {
  if (error instanceof UsageError) return { message: error.message, remedy: error.remedy };
  if (error instanceof FreshetError)
    return { message: `${error.message} (${error.failureClass} ${error.code})`, remedy: undefined };
  return { message: describeUnexpected(error), remedy: undefined };
}
