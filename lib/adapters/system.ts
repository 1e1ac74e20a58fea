import { randomUUID } from 'node:crypto';
import { setFlagsFromString } from 'node:v8';
import type { Clock, LogFields, Logger, Randomness } from '../ports/process.ts';

/** Major version of the first Node whose V8 was seen to know the flag; that of 22 does not. */
const FIRST_NODE_COUNTING_BUFFERS = 24;

export function createSystemClock(): Clock {
  return {
    now: () => Date.now(),
    sleep: (ms, signal) =>
      new Promise(resolve => {
        if (signal?.aborted) return resolve();
        const wake = () => {
          clearTimeout(timer);
          signal?.removeEventListener('abort', wake);
          resolve();
        };
        const timer = setTimeout(wake, Math.max(0, ms));
        signal?.addEventListener('abort', wake, { once: true });
      }),
  };
}

export function createSystemRandomness(): Randomness {
  return { fraction: () => Math.random(), identifier: () => randomUUID() };
}

/**
 * Creates a logger that writes one JSON object per line, without the line end.
 * `context` is on every line and wins over a field of the same name. `timestamp` and `level` are as
 * Lambda expects them in lines that are already JSON: Lambda filters by them, and adds its own to a
 * line without them.
 */
export function createJsonLogger(
  write: (line: string) => void,
  clock: Clock,
  context: LogFields = {},
): Logger {
  const line =
    (level: string) =>
    (event: string, fields: LogFields = {}) =>
      write(
        JSON.stringify({
          ...fields,
          ...context,
          timestamp: new Date(clock.now()).toISOString(),
          level,
          event,
        }),
      );
  return { info: line('INFO'), warn: line('WARN'), error: line('ERROR') };
}

/**
 * Makes V8 count buffers together with the heap, for processes that move many vectors.
 * V8 normally counts buffers apart from the heap and begins a full collection when their count has
 * grown enough. A run of 200 batches had 24 full collections, and each marks every object there is.
 * Counted together with the heap, buffers are collected as seldom as the heap's own limit allows:
 * about 30 % less CPU of the client over 20,000 vectors of 1536 dimensions.
 * It comes once the modules are loaded: with another flag, V8 refuses what Node has compiled of its
 * own modules and keeps of ours, and compiles them anew (140 ms of CPU of a run).
 * V8 of an older Node does not know the flag, and would write an error about it on standard error.
 */
export function countBuffersAsHeap(
  nodeVersion = process.versions.node,
  setFlags: (flags: string) => void = setFlagsFromString,
): void {
  if (Number.parseInt(nodeVersion, 10) < FIRST_NODE_COUNTING_BUFFERS) return;
  setFlags('--external-memory-accounted-in-global-limit');
}
