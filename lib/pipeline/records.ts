import type { Logger, Metrics, RunObserver } from '../ports/process.ts';
import type { TraceContext } from '../ports/tracer.ts';
import { describeFailure } from './failures.ts';

/** A received message as a step sees it. */
export interface QueueRecord {
  readonly messageId: string;
  readonly receiptHandle: string;
  readonly body: string;
  /** 1 at the first delivery. */
  readonly receiveCount: number;
  /** The span that sent the message. Undefined: none did. */
  readonly traceparent?: TraceContext | undefined;
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

interface Batch {
  /** Milliseconds that the invocation has left. */
  readonly remainingMs: () => number;
  readonly onDone: (record: QueueRecord) => void;
  /** Aborts when the invocation answers before its last record. */
  readonly signal?: AbortSignal | undefined;
  /**
   * Takes several records first; returns those that are done, and the step takes the others.
   * Called only for two records or more. Never rejects.
   */
  readonly takeTogether?: (records: readonly QueueRecord[]) => Promise<readonly QueueRecord[]>;
}

/**
 * Runs a step on each record, and tells which records are done the moment they are.
 * Whoever answers for the batch, even at a timeout, can thereby give back exactly the others.
 * Several records may be taken together first; the step then runs on the others one after the
 * other. A record that throws fails alone. Records for which the time is too short are not begun.
 */
export async function takeRecords(
  ports: RecordPorts,
  records: readonly QueueRecord[],
  step: (record: QueueRecord) => Promise<RecordResult>,
  batch: Batch,
): Promise<void> {
  ports.metrics.count('Records', records.length);
  const taken = new Set<QueueRecord>();
  if (batch.takeTogether && records.length > 1 && batch.remainingMs() >= MIN_RECORD_MS) {
    for (const record of await batch.takeTogether(records)) {
      taken.add(record);
      batch.onDone(record);
    }
  }
  const others = records.filter(record => !taken.has(record));
  for (const [position, record] of others.entries()) {
    const remainingMs = batch.remainingMs();
    if (batch.signal?.aborted || remainingMs < MIN_RECORD_MS) {
      ports.logger.warn('records-not-begun', { records: others.length - position, remainingMs });
      return;
    }
    try {
      if ((await step(record)) === 'done') batch.onDone(record);
    } catch (error) {
      logFailure(ports, record, error);
    }
  }
}

function logFailure(ports: RecordPorts, { messageId, receiveCount }: QueueRecord, error: unknown): void {
  const reason = describeFailure(error);
  const { failureClass, code } = reason;
  ports.metrics.count('FailedRecords', 1);
  ports.logger.error('record-failed', { messageId, receiveCount, failureClass, code });
  ports.observer?.recordFailed(reason);
}
