import { randomUUID } from 'node:crypto';
import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8';
import type { Clock, LogFields, Logger, Randomness } from '../ports/process.ts';

/** Major version of the first Node whose V8 was seen to take the flag below while it runs. */
const FIRST_NODE_TAKING_FLAG = 24;
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
 * Keeps V8 from giving new objects more room than a run of batches can use.
 * V8 doubles the room while much of it survives a collection, as the rows under way do, up to 134
 * MB. Its size when it begins cannot be set from within, so that its growth is ended: call it now
 * and then until it returns true.
 * Call it once the modules are loaded: with another flag, V8 refuses what Node has compiled of its
 * own modules and keeps of ours, and compiles them anew (140 ms of CPU of a run).
 */
export function boundYoungHeap(
  nodeVersion = process.versions.node,
  measureBytes: () => number = measureYoungHeap,
  setFlags: (flags: string) => void = setFlagsFromString,
): boolean {
  if (Number.parseInt(nodeVersion, 10) < FIRST_NODE_TAKING_FLAG) return true;
  if (measureBytes() < YOUNG_HEAP_BYTES) return false;
  setFlags('--semi-space-growth-factor=1');
  return true;
}

function measureYoungHeap(): number {
  return getHeapSpaceStatistics().find(space => space.space_name === 'new_space')?.space_size ?? 0;
}
