import middy, { type MiddyfiedHandler } from '@middy/core';
import type { SQSBatchResponse, SQSEvent, SQSRecord } from 'aws-lambda';
import type { QueueRecord, RecordResult } from '../../lib/pipeline/queue-record.ts';
import { type RecordPorts, takeRecords } from '../../lib/pipeline/take-records.ts';
import { EARLY_TIMEOUT_MS, flushMetrics } from './flush-metrics.ts';

/**
 * A handler of queue events that answers for every record, whatever happens.
 * Every record of an event is either done or in `batchItemFailures`: after the last record, after a
 * throw, and when the time runs out, where middy throws its `TimeoutError`. The answer is made from
 * the set of done records alone, so that no path can swallow a record. `together` may take several
 * records of an event first, and returns those that are done; `step` takes each of the others.
 * `remainingMs` gives the milliseconds that the invocation has left.
 */
export function createRecordHandler(
  ports: RecordPorts,
  step: (record: QueueRecord, remainingMs: () => number) => Promise<RecordResult>,
  together?: (records: readonly QueueRecord[], remainingMs: () => number) => Promise<readonly QueueRecord[]>,
): MiddyfiedHandler<SQSEvent, SQSBatchResponse> {
  const doneOf = new WeakMap<SQSEvent, Set<string>>();
  const answer = (event: SQSEvent): SQSBatchResponse => ({
    batchItemFailures: event.Records.map(record => record.messageId)
      .filter(messageId => !doneOf.get(event)?.has(messageId))
      .map(itemIdentifier => ({ itemIdentifier })),
  });
  return middy<SQSEvent, SQSBatchResponse>({ timeoutEarlyInMillis: EARLY_TIMEOUT_MS })
    .onError(request => {
      request.response = answer(request.event);
    })
    .use(flushMetrics<SQSEvent, SQSBatchResponse>(ports.metrics))
    .handler(async (event, context, { signal }) => {
      const done = new Set<string>();
      doneOf.set(event, done);
      const remainingMs = () => context.getRemainingTimeInMillis();
      await takeRecords(ports, event.Records.map(toRecord), record => step(record, remainingMs), {
        remainingMs,
        done: record => done.add(record.messageId),
        ...(together && { together: records => together(records, remainingMs) }),
        signal,
      });
      return answer(event);
    });
}

function toRecord({ messageId, receiptHandle, body, attributes }: SQSRecord): QueueRecord {
  return { messageId, receiptHandle, body, receiveCount: Number(attributes.ApproximateReceiveCount) };
}
