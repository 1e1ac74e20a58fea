import type { Clock } from '../../ports/clock.ts';
import type { ReceivedMessage, ReceivingQueue } from '../../ports/message-queue.ts';

/** An SQS event, field by field as Lambda gives it. */
interface LocalEvent {
  Records: LocalRecord[];
}

interface LocalRecord {
  messageId: string;
  receiptHandle: string;
  body: string;
  attributes: {
    ApproximateReceiveCount: string;
    SentTimestamp: string;
    SenderId: string;
    ApproximateFirstReceiveTimestamp: string;
  };
  messageAttributes: Record<string, never>;
  md5OfBody: string;
  eventSource: string;
  eventSourceARN: string;
  awsRegion: string;
}

/** Lambda's context, as far as a local invocation has one. */
export interface LocalContext {
  callbackWaitsForEmptyEventLoop: boolean;
  functionName: string;
  functionVersion: string;
  invokedFunctionArn: string;
  memoryLimitInMB: string;
  awsRequestId: string;
  logGroupName: string;
  logStreamName: string;
  getRemainingTimeInMillis(): number;
  done(): void;
  fail(): void;
  succeed(): void;
}

interface BatchAnswer {
  batchItemFailures: { itemIdentifier: string }[];
}

export type BatchHandler = (event: LocalEvent, context: LocalContext) => Promise<BatchAnswer>;

export function createLocalContext(functionName: string, remainingMs: () => number): LocalContext {
  return {
    callbackWaitsForEmptyEventLoop: false,
    functionName,
    functionVersion: 'local',
    invokedFunctionArn: `arn:local:lambda:${functionName}`,
    memoryLimitInMB: '0',
    awsRequestId: functionName,
    logGroupName: '',
    logStreamName: '',
    getRemainingTimeInMillis: remainingMs,
    done: () => undefined,
    fail: () => undefined,
    succeed: () => undefined,
  };
}

/** Remaining time of an invocation that starts now. */
export function countDown(clock: Clock, timeoutMs: number): () => number {
  const endsAtMs = clock.now() + timeoutMs;
  return () => Math.max(0, endsAtMs - clock.now());
}

/** What Lambda's poller does with received messages: invoke, then delete all that are not reported as failures; a throw deletes none. */
export async function invokeBatch(
  handler: BatchHandler,
  queue: ReceivingQueue,
  messages: readonly ReceivedMessage[],
  context: LocalContext,
): Promise<void> {
  let answer: BatchAnswer;
  try {
    answer = await handler({ Records: messages.map(toLocalRecord) }, context);
  } catch {
    // The handler reported the failure; its messages become visible again.
    return;
  }
  const failed = new Set(answer.batchItemFailures.map(({ itemIdentifier }) => itemIdentifier));
  for (const { messageId, receiptHandle } of messages) {
    if (!failed.has(messageId)) await queue.delete(receiptHandle);
  }
}

function toLocalRecord({
  messageId,
  receiptHandle,
  body,
  receiveCount,
  sentAtMs,
}: ReceivedMessage): LocalRecord {
  return {
    messageId,
    receiptHandle,
    body,
    attributes: {
      ApproximateReceiveCount: String(receiveCount),
      SentTimestamp: String(sentAtMs),
      SenderId: 'local',
      ApproximateFirstReceiveTimestamp: String(sentAtMs),
    },
    messageAttributes: {},
    md5OfBody: '',
    eventSource: 'aws:sqs',
    eventSourceARN: 'arn:local:sqs',
    awsRegion: 'local',
  };
}
