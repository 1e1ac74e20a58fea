import type { ResultObject } from '../../core/model/result-object.ts';
import type { Space } from '../../core/model/space.ts';
import type { QueueRecord } from '../queue-record.ts';
import { retryTransient } from '../retry-transient.ts';
import { type LoadedResult, loadResult } from './load-result.ts';
import { measureWrite } from './measure-write.ts';
import type { WritePorts } from './write-ports.ts';

/**
 * Bytes of the vectors in one transaction.
 * Many more bytes cost the database more per row: 33 ms of CPU per 1,000 rows at 0.6 MB, 35 ms at 3
 * MB, 48 ms at 6 MB.
 */
const MAX_BYTES = 2 * 1024 * 1024;

/** Fetches under way at once. Each fetch mostly waits for the store. */
const FETCHES = 4;

interface Group {
  readonly space: Space;
  readonly records: QueueRecord[];
  readonly results: ResultObject[];
  bytes: number;
}

/**
 * Writes the objects of several announcements in as few transactions as they fit.
 * Returns the records that are done. Never rejects. Some objects are left to be written alone: what
 * is not an ordinary, whole object, what comes twice, and every object of a transaction that
 * failed. Written alone, an object that cannot be written harms no other object.
 */
export async function writeTogether(
  ports: WritePorts,
  records: readonly QueueRecord[],
  remainingMs: () => number,
): Promise<readonly QueueRecord[]> {
  const done: QueueRecord[] = [];
  for (const group of groupRecords(records, await loadAll(ports, records, remainingMs))) {
    const startedMs = ports.clock.now();
    try {
      const report = await retryTransient(ports, remainingMs, () =>
        ports.outcomes.writeResults(group.space, group.results),
      );
      measureWrite(ports, report, startedMs, group.results);
      done.push(...group.records);
    } catch {
      // An object that cannot be written reports its fault when it is written alone.
    }
  }
  return done;
}

/**
 * Loads the results, in the order of their records.
 * Undefined where a message cannot be read or the store cannot be asked.
 */
async function loadAll(
  ports: WritePorts,
  records: readonly QueueRecord[],
  remainingMs: () => number,
): Promise<readonly (LoadedResult | undefined)[]> {
  const loaded = new Array<LoadedResult | undefined>(records.length);
  const remaining = records.entries();
  const work = async () => {
    for (const [place, record] of remaining)
      loaded[place] = await loadResult(ports, record, remainingMs).catch(() => undefined);
  };
  await Promise.all(Array.from({ length: Math.min(FETCHES, records.length) }, work));
  return loaded;
}

function groupRecords(
  records: readonly QueueRecord[],
  loaded: readonly (LoadedResult | undefined)[],
): readonly Group[] {
  const groups: Group[] = [];
  const keys = new Set<string>();
  for (const [place, record] of records.entries()) {
    const { space, result, message } = loaded[place] ?? {};
    if (!space || !result || !message || keys.has(message.key)) continue;
    const bytes = result.vectors.length;
    let group = groups.find(({ space: { spaceId } }) => spaceId === space.spaceId);
    if (!group || group.bytes + bytes > MAX_BYTES) {
      group = { space, records: [], results: [], bytes: 0 };
      groups.unshift(group);
    }
    group.records.push(record);
    group.results.push(result);
    keys.add(message.key);
    group.bytes += bytes;
  }
  return groups;
}
