import { sha256Hex } from '../core/text.ts';
import type { Logger, Metrics, RunObserver } from '../ports/process.ts';
import type { ObjectStore } from '../ports/queues.ts';
import { describeFailure } from './failures.ts';

/** A received message as a step sees it. */
export interface QueueRecord {
  readonly messageId: string;
  readonly receiptHandle: string;
  readonly body: string;
  /** 1 at the first delivery. */
  readonly receiveCount: number;
}

/** `done`: acknowledge the message. `returned`: the message must be delivered again. */
export type RecordResult = 'done' | 'returned';

export interface RecordPorts {
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly observer?: RunObserver | undefined;
}

/**
 * Milliseconds below which no further record is begun.
 * Records that were not begun are given back untouched.
 */
const MIN_RECORD_MS = 8_000;

/**
 * Runs a step on each record, and tells which records are done the moment they are.
 * Whoever answers for the batch, even at a timeout, can thereby give back exactly the others.
 * Several records may be taken together first; the step then runs on the others one after the
 * other. A record that throws fails alone.
 */
export async function takeRecords(
  ports: RecordPorts,
  records: readonly QueueRecord[],
  step: (record: QueueRecord) => Promise<RecordResult>,
  batch: {
    readonly remainingMs: () => number;
    readonly done: (record: QueueRecord) => void;
    readonly signal?: AbortSignal | undefined;
    /**
     * Takes several records first, returns those that are done, and leaves the others to `step`.
     * Called only for two records or more. Never rejects.
     */
    readonly together?: (records: readonly QueueRecord[]) => Promise<readonly QueueRecord[]>;
  },
): Promise<void> {
  ports.metrics.count('Records', records.length);
  const taken = new Set<QueueRecord>();
  if (batch.together && records.length > 1 && batch.remainingMs() >= MIN_RECORD_MS) {
    for (const record of await batch.together(records)) {
      taken.add(record);
      batch.done(record);
    }
  }
  for (const record of records) {
    if (taken.has(record)) continue;
    if (batch.signal?.aborted || batch.remainingMs() < MIN_RECORD_MS) return;
    try {
      if ((await step(record)) === 'done') batch.done(record);
    } catch (error) {
      const reason = describeFailure(error);
      ports.metrics.count('FailedRecords', 1);
      ports.logger.error('record-failed', {
        messageId: record.messageId,
        receiveCount: record.receiveCount,
        failureClass: reason.failureClass,
        code: reason.code,
      });
      ports.observer?.recordFailed(reason);
    }
  }
}

/**
 * Bytes of a sealed object that are hashed: enough to tell one object from another.
 * A sealed object cannot have been changed, so that nothing has to prove it whole.
 */
const SEALED_BYTES = 4096;

/**
 * The hash by which the writer knows an announced object again, hexadecimal.
 * The hash is the SHA-256 of the whole body, so that it also proves the object whole. For a sealed
 * store it is the SHA-256 of the body's first `SEALED_BYTES` bytes.
 */
export function proveObject(objects: ObjectStore, body: Buffer): string {
  return sha256Hex(objects.sealed ? body.subarray(0, SEALED_BYTES) : body);
}
