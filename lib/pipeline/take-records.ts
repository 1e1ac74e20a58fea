import type { Logger } from '../ports/logger.ts';
import type { Metrics } from '../ports/metrics.ts';
import type { RunObserver } from '../ports/run-observer.ts';
import { describeFailure } from './describe-failure.ts';
import type { QueueRecord, RecordResult } from './queue-record.ts';

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
