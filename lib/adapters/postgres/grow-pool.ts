import type pg from 'pg';
import type { Clock } from '../../ports/process.ts';

/**
 * Milliseconds for which a statement waits for a connection in use, before one more is opened.
 * To open a session takes about as long, and costs the server as much as dozens of statements.
 */
const PATIENCE_MS = 25;
/** The reason of each abort. Without one, an abort makes an error with a stack for nobody. */
const ENDED = 'ended';

/** The part of a pool that tells which connections are free, and when one comes back. */
interface GrowingPool extends Pick<pg.Pool, 'idleCount' | 'totalCount'> {
  readonly options: { readonly max?: number };
  on(event: 'release', listener: () => void): unknown;
}

/**
 * Lets a pool grow only where its connections stay in use.
 * A pool opens a connection for each statement that finds none free, up to its limit, although the
 * others are free again a few milliseconds later. Each session has then to be opened, to read the
 * catalog, and to plan the statements of a run for itself. Statements that take longer than the
 * patience, on a server far away for instance, have as many connections as without it.
 * Whoever came first is served first. `open` takes a connection from the pool.
 */
export function growPatiently<Client>(
  pool: GrowingPool,
  clock: Clock,
  open: () => Promise<Client>,
): () => Promise<Client> {
  const waiting: (() => void)[] = [];
  /** Free connections that the pool is about to give: it does so in a later turn. */
  let promised = 0;
  const isFree = () => pool.idleCount > promised;
  // A pool that is empty has nothing to wait for, and one that is full waits by itself.
  const mayWait = () => pool.totalCount > 0 && pool.totalCount < (pool.options.max ?? 0);
  // The pool tells of a connection before it counts it as free; a waiter looks right after.
  pool.on('release', () => waiting[0]?.());

  /** Resolves after the next release when everybody before was served, and with the signal. */
  const nextRelease = (signal: AbortSignal): Promise<void> =>
    new Promise(resolve => {
      const wake = () => {
        waiting.splice(waiting.indexOf(wake), 1);
        signal.removeEventListener('abort', wake);
        resolve();
      };
      waiting.push(wake);
      signal.addEventListener('abort', wake, { once: true });
    });

  const waitForOne = async () => {
    const over = new AbortController();
    const awake = new AbortController();
    void clock.sleep(PATIENCE_MS, awake.signal).then(() => over.abort(ENDED));
    do await nextRelease(over.signal);
    while (!over.signal.aborted && !isFree() && mayWait());
    awake.abort(ENDED);
  };

  return async () => {
    if (mayWait() && (!isFree() || waiting.length > 0)) await waitForOne();
    if (!isFree()) return open();
    promised += 1;
    try {
      return await open();
    } finally {
      promised -= 1;
    }
  };
}
