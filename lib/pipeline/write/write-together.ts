import type { ResultObject } from '../../core/model/result-object.ts';
import type { Space } from '../../core/model/space.ts';
import type { QueueRecord } from '../queue-record.ts';
import { loadResult } from './load-result.ts';
import { measureWrite } from './measure-write.ts';
import type { WritePorts } from './write-ports.ts';

/** Of the vectors in one transaction: many more cost the database more per row (33 ms of CPU per 1,000 rows at 0.6 MB, 35 at 3 MB, 48 at 6 MB). */
const MAX_BYTES = 2 * 1024 * 1024;

interface Group {
  readonly space: Space;
  readonly records: QueueRecord[];
  readonly results: ResultObject[];
  readonly keys: Set<string>;
  bytes: number;
}

/**
 * Writes the objects of several announcements in as few transactions as they fit, and gives back the records that are done. Never rejects:
 * what is not an ordinary, whole object, what comes twice, and every object of a transaction that failed is left to be written alone, where one
 * that cannot be written harms no other.
 */
export async function writeTogether(
  ports: WritePorts,
  records: readonly QueueRecord[],
  remainingMs: () => number,
): Promise<readonly QueueRecord[]> {
  const done: QueueRecord[] = [];
  for (const group of await groupRecords(ports, records, remainingMs)) {
    const startedMs = ports.clock.now();
    try {
      const report = await ports.outcomes.writeResults(group.space, group.results);
      measureWrite(ports, report, startedMs, group.results);
      done.push(...group.records);
    } catch {
      // Each of them says what is wrong when it is written alone.
    }
  }
  return done;
}

async function groupRecords(
  ports: WritePorts,
  records: readonly QueueRecord[],
  remainingMs: () => number,
): Promise<Group[]> {
  const groups: Group[] = [];
  for (const record of records) {
    const loaded = await loadResult(ports, record, remainingMs).catch(() => undefined);
    if (!loaded?.space || !loaded.result) continue;
    const { space, result, message } = loaded;
    const bytes = result.vectors.length;
    let group = groups.find(({ space: { spaceId } }) => spaceId === space.spaceId);
    if (group?.keys.has(message.key)) continue;
    if (!group || group.bytes + bytes > MAX_BYTES) {
      group = { space, records: [], results: [], keys: new Set(), bytes: 0 };
      groups.unshift(group);
    }
    group.records.push(record);
    group.results.push(result);
    group.keys.add(message.key);
    group.bytes += bytes;
  }
  return groups;
}
