import { isSourceFault } from '../../core/errors/source-fault.ts';
import type { AnnounceMessage } from '../../core/model/dispatch-message.ts';
import type { ResultObject } from '../../core/model/result-object.ts';
import type { Space } from '../../core/model/space.ts';
import { encodeVectorArray } from '../../core/vectors/encode-vector-array.ts';
import { pauseSource } from '../pause-source.ts';
import type { QueueRecord } from '../queue-record.ts';
import { retryTransient } from '../retry-transient.ts';
import { loadResult } from './load-result.ts';
import { measureWrite } from './measure-write.ts';
import type { WritePorts } from './write-ports.ts';

/**
 * What became of a result. In either case the message is done.
 * `dropped`: the result was not stored, which says nothing of whether the database takes results.
 */
type WriteOutcome = 'written' | 'dropped';

/**
 * Writes one announced result to the outcome rows.
 * An object that is missing or corrupt is dropped with a reason, and its rows are dispatched again.
 * Rejects where the message must be delivered again.
 */
export async function writeRecord(
  ports: WritePorts,
  record: QueueRecord,
  remainingMs: () => number,
): Promise<WriteOutcome> {
  const { message, space, object, result } = await loadResult(ports, record, remainingMs);
  if (!space) return drop(ports, message, 'space-unknown-or-retired');
  if (!result) {
    await ports.outcomes.expireLeases(space, message.dispatchId, message.ids);
    return drop(ports, message, `object-${object}`);
  }
  const startedMs = ports.clock.now();
  const report = await retryTransient(ports, remainingMs, () =>
    ports.outcomes.writeResult(space, result),
  ).catch(error => keepLedger(ports, space, message, result, error));
  if (report === undefined) return drop(ports, message, 'source-fault');
  measureWrite(ports, report, startedMs, [result]);
  return 'written';
}

/**
 * Keeps the ledger entries of a result whose source table is no longer what it was.
 * The rows are left to `detect`, and only their source pauses.
 * @throws any other failure.
 */
async function keepLedger(
  ports: WritePorts,
  space: Space,
  message: AnnounceMessage,
  result: ResultObject,
  error: unknown,
): Promise<undefined> {
  if (!isSourceFault(error)) throw error;
  await pauseSource(ports, space, error);
  const vectors = encodeVectorArray([], result.dimensions);
  await ports.outcomes.writeResult(space, { ...result, outcomes: [], copies: [], touches: [], vectors });
  await ports.outcomes.expireLeases(space, message.dispatchId, message.ids);
}

function drop(ports: WritePorts, message: AnnounceMessage, cause: string): WriteOutcome {
  ports.metrics.count('DroppedResults', 1);
  ports.logger.error('result-dropped', { spaceId: message.spaceId, rows: message.ids.length, cause });
  return 'dropped';
}
