import { randomUUID } from 'node:crypto';
import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8';
import type { Clock, LogFields, Logger, Randomness } from '../ports/process.ts';

/**
 * Major version of the first Node whose V8 was seen to take the flags below while it runs.
 * That of 22 does not know the one that counts buffers.
 */
const FIRST_NODE_TAKING_FLAGS = 24;
/** Bytes that new objects may take: V8 goes to four times as much, of which a run needs nothing. */
const YOUNG_HEAP_BYTES = 32 * 1024 * 1024;

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
 * grown by 64 MB. Counted together, they are collected when both have doubled: a run keeps little,
 * so that this is 40 MB sooner than V8's own growth would be, at the same CPU.
 * It comes once the modules are loaded: with another flag, V8 refuses what Node has compiled of its
 * own modules and keeps of ours, and compiles them anew (140 ms of CPU of a run).
 * V8 of an older Node does not know the flag, and would write an error about it on standard error.
 */
export function countBuffersAsHeap(
  nodeVersion = process.versions.node,
  setFlags: (flags: string) => void = setFlagsFromString,
): void {
  if (!takesFlags(nodeVersion)) return;
  setFlags('--external-memory-accounted-in-global-limit');
  setFlags('--heap-growing-percent=100');
}

/**
 * Keeps V8 from giving new objects more room than a run of batches can use.
 * V8 doubles the room while much of it survives a collection, as the rows under way do, up to 134
 * MB. Its size when it begins cannot be set from within, so that its growth is ended: call it now
 * and then until it returns true.
 */
export function boundYoungHeap(
  nodeVersion = process.versions.node,
  measureBytes: () => number = measureYoungHeap,
  setFlags: (flags: string) => void = setFlagsFromString,
): boolean {
  if (!takesFlags(nodeVersion)) return true;
  if (measureBytes() < YOUNG_HEAP_BYTES) return false;
  setFlags('--semi-space-growth-factor=1');
  return true;
}

const takesFlags = (nodeVersion: string): boolean =>
  Number.parseInt(nodeVersion, 10) >= FIRST_NODE_TAKING_FLAGS;

function measureYoungHeap(): number {
  return getHeapSpaceStatistics().find(space => space.space_name === 'new_space')?.space_size ?? 0;
}
