import middy, { type MiddlewareObj, type MiddyfiedHandler } from '@middy/core';
import type { Context, SQSBatchResponse, SQSEvent, SQSRecord } from 'aws-lambda';
import {
  type QueueRecord,
  type RecordPorts,
  type RecordResult,
  takeRecords,
} from '../lib/pipeline/records.ts';
import type { Metrics } from '../lib/ports/process.ts';
import type { Wired } from '../lib/wiring/lambda.ts';

/** Milliseconds kept to write the answer and the metrics of an invocation that hangs. */
export const EARLY_TIMEOUT_MS = 1_000;

/**
 * Creates a middleware that writes the metrics of an invocation as one event.
 * Metrics that a frozen earlier invocation left go out first. An invocation that runs into the
 * early timeout still reports what it counted until then.
 */
export function flushMetrics<Event, Result>(metrics: Metrics): MiddlewareObj<Event, Result> {
  return {
    before: () => metrics.flush(),
    after: () => metrics.flush(),
    onError: async ({ error }) => {
      if (error?.name === 'TimeoutError') metrics.count('EarlyTimeouts', 1);
      await metrics.flush();
    },
  };
}

type Invoke<Event, Result> = (event: Event, context: Context) => Promise<Result>;

/**
 * Creates a handler that opens nothing before its first event.
 * A wiring that failed is not remembered: the next event tries again. Connections that no longer
 * answer, because the function was frozen for a while, are closed and opened anew. A failed wiring
 * rejects, so that Lambda counts an error and every record of the event comes again.
 */
export function createLazyHandler<Ports, Event, Result>(
  wire: () => Promise<Wired<Ports>>,
  createHandler: (ports: Ports) => Invoke<Event, Result>,
): Invoke<Event, Result> {
  let current: { readonly wired: Wired<Ports>; readonly invoke: Invoke<Event, Result> } | undefined;
  return async (event, context) => {
    if (current !== undefined && !(await current.wired.isAlive())) {
      const { wired } = current;
      current = undefined;
      wired.close().catch(() => {});
    }
    if (current === undefined) {
      const wired = await wire();
      current = { wired, invoke: createHandler(wired.ports) };
    }
    return current.invoke(event, context);
  };
}

type TakeTogether = (
  records: readonly QueueRecord[],
  remainingMs: () => number,
) => Promise<readonly QueueRecord[]>;

/**
 * Creates a handler of queue events that answers for every record, whatever happens.
 * Every record of an event is either done or in `batchItemFailures`: after the last record, after a
 * throw, and when the time runs out, where middy throws its `TimeoutError`. The answer is made from
 * the set of done records alone, so that no path can swallow a record. `takeTogether` may take
 * several records first, and returns those that are done; `step` takes each of the others.
 * `remainingMs` gives the milliseconds that the invocation has left.
 */
export function createRecordHandler(
  ports: RecordPorts,
  step: (record: QueueRecord, remainingMs: () => number) => Promise<RecordResult>,
  takeTogether?: TakeTogether,
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
        onDone: record => done.add(record.messageId),
        ...(takeTogether && { takeTogether: records => takeTogether(records, remainingMs) }),
        signal,
      });
      return answer(event);
    });
}

function toRecord({ messageId, receiptHandle, body, attributes, messageAttributes }: SQSRecord): QueueRecord {
  const receiveCount = Number(attributes.ApproximateReceiveCount);
  const traceparent = messageAttributes?.traceparent?.stringValue;
  return { messageId, receiptHandle, body, receiveCount, traceparent };
}
