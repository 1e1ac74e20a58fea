import { isSourceFault } from '../../core/errors/source-fault.ts';
import { parseAnnounceMessage } from '../../core/messages/parse-announce-message.ts';
import type { AnnounceMessage } from '../../core/model/dispatch-message.ts';
import type { ResultObject } from '../../core/model/result-object.ts';
import type { Space } from '../../core/model/space.ts';
import type { Outcome } from '../../core/model/vocabulary.ts';
import { decodeResult } from '../../core/result/decode-result.ts';
import { sha256Hex } from '../../core/result/sha256-hex.ts';
import { encodeVectorArray } from '../../core/vectors/encode-vector-array.ts';
import type { WriteReport } from '../../ports/outcome-store.ts';
import { pauseSource } from '../pause-source.ts';
import type { QueueRecord, RecordResult } from '../queue-record.ts';
import { retryTransient } from '../retry-transient.ts';
import type { WritePorts } from './write-ports.ts';

/** From an announcement to outcome rows. An object that is missing or corrupt is dropped with a reason and its rows are dispatched again. */
export async function writeRecord(
  ports: WritePorts,
  record: QueueRecord,
  remainingMs: () => number,
): Promise<RecordResult> {
  const message = parseAnnounceMessage(record.body);
  const space = await ports.spaces.find(message.spaceId);
  if (!space) return drop(ports, message, 'space-unknown-or-retired');
  const body = await retryTransient(ports, remainingMs, () => ports.objects.get(message.key));
  const result = body && readResult(message, body);
  if (!result) {
    await ports.outcomes.expireLeases(space, message.dispatchId, message.ids);
    return drop(ports, message, body ? 'object-corrupt' : 'object-missing');
  }
  const startedMs = ports.clock.now();
  const report = await retryTransient(ports, remainingMs, () =>
    ports.outcomes.writeResult(space, result),
  ).catch(error => keepLedger(ports, space, message, result, error));
  if (report === undefined) return drop(ports, message, 'source-fault');
  ports.metrics.duration('WriteLatency', Math.max(0, ports.clock.now() - startedMs));
  measureWrite(ports, report, result);
  ports.observer?.written(report);
  return 'done';
}

/**
 * The table that the result belongs to is not what it was: what was paid enters the ledger, the rows are left to detect, and only their source
 * pauses. Any other failure is thrown on.
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

/** Undefined where the object is not the one that was announced, whole. */
function readResult(message: AnnounceMessage, body: Buffer): ResultObject | undefined {
  if (sha256Hex(body) !== message.sha256) return undefined;
  try {
    const result = decodeResult(body);
    const same = result.spaceId === message.spaceId && result.dispatchId === message.dispatchId;
    return same ? result : undefined;
  } catch {
    return undefined;
  }
}

function drop(ports: WritePorts, message: AnnounceMessage, cause: string): RecordResult {
  ports.metrics.count('DroppedResults', 1);
  ports.logger.error('result-dropped', { spaceId: message.spaceId, rows: message.ids.length, cause });
  return 'done';
}

function measureWrite({ metrics }: WritePorts, report: WriteReport, { outcomes }: ResultObject): void {
  metrics.count('EmbeddedRows', report.embedded);
  metrics.count('CopiedRows', report.copied);
  metrics.count('TouchedRows', report.touched);
  metrics.count('ExcludedRows', report.excluded);
  metrics.count('FailedRows', report.failed);
  metrics.count('OvertakenRows', report.overtaken);
  if (report.repeated) {
    metrics.count('RepeatedResults', 1);
    return;
  }
  const countOf = (named: (outcome: Outcome) => boolean) =>
    outcomes.filter(({ outcome }) => named(outcome)).length;
  metrics.count(
    'RefusedRows',
    countOf(outcome => outcome.startsWith('refused:')),
  );
  metrics.count(
    'UndeliveredRows',
    countOf(outcome => outcome === 'undelivered'),
  );
  metrics.count(
    'TooLongRows',
    countOf(outcome => outcome === 'too-long'),
  );
}
