import type { Clock } from '../../lib/ports/process.ts';

export interface NetworkClock extends Clock {
  /** Lets every deadline run out that is waiting now. */
  expire(): void;
}

/**
 * For real sockets: a wait is over at once and moves the time on, but a deadline (a sleep that can be called off) lasts until the answer is there or the
 * test lets it run out.
 */
export function createNetworkClock(startMs = Date.UTC(2026, 0, 1)): NetworkClock {
  let nowMs = startMs;
  const deadlines = new Set<{ readonly atMs: number; readonly wake: () => void }>();
  return {
    now: () => nowMs,
    sleep: (ms, signal) => {
      if (signal === undefined) {
        nowMs += Math.max(0, ms);
        return Promise.resolve();
      }
      return new Promise(resolve => {
        const deadline = {
          atMs: nowMs + ms,
          wake: () => {
            deadlines.delete(deadline);
            resolve();
          },
        };
        deadlines.add(deadline);
        signal.addEventListener('abort', deadline.wake, { once: true });
      });
    },
    expire() {
      for (const { atMs, wake } of [...deadlines]) {
        nowMs = Math.max(nowMs, atMs);
        wake();
      }
    },
  };
}
