import type { Clock } from '../../lib/ports/process.ts';

export interface VirtualClock extends Clock {
  /** Time that passes by itself is what sleepers ask for; this is for the rest. */
  advance(ms: number): void;
}

interface Sleeper {
  readonly atMs: number;
  readonly order: number;
  readonly wake: () => void;
}

/** Jumps to the next sleeper's time whenever nothing else can run: hours pass in milliseconds, always in the same order. */
export function createVirtualClock(startMs = Date.UTC(2026, 0, 1)): VirtualClock {
  let nowMs = startMs;
  let order = 0;
  let pumping = false;
  const sleepers = new Set<Sleeper>();
  const pump = () => {
    const next = [...sleepers].sort((a, b) => a.atMs - b.atMs || a.order - b.order)[0];
    if (next) {
      nowMs = Math.max(nowMs, next.atMs);
      next.wake();
    }
    pumping = sleepers.size > 0;
    if (pumping) setImmediate(pump);
  };
  return {
    now: () => nowMs,
    advance(ms) {
      nowMs += ms;
    },
    sleep: (ms, signal) =>
      new Promise(resolve => {
        if (signal?.aborted) return resolve();
        order += 1;
        const sleeper = {
          atMs: nowMs + Math.max(0, ms),
          order,
          wake: () => {
            sleepers.delete(sleeper);
            signal?.removeEventListener('abort', sleeper.wake);
            resolve();
          },
        };
        sleepers.add(sleeper);
        signal?.addEventListener('abort', sleeper.wake, { once: true });
        if (!pumping) {
          pumping = true;
          setImmediate(pump);
        }
      }),
  };
}
