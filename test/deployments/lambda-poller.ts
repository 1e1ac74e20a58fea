import {
  ChangeMessageVisibilityCommand,
  DeleteMessageCommand,
  type Message,
  ReceiveMessageCommand,
  type SQSClient,
} from '@aws-sdk/client-sqs';
import type { Context, SQSBatchResponse, SQSEvent } from 'aws-lambda';
import { makeContext } from '../factories/lambda-event.ts';

export interface PolledQueue {
  readonly client: SQSClient;
  readonly url: string;
  /** The most messages of one event; SQS allows 10. */
  readonly batchSize: number;
  readonly invoke: (event: SQSEvent, context: Context) => Promise<SQSBatchResponse>;
}

/**
 * Counts the messages of one poll.
 *
 * `partial`: some of the event's records were done and some were not.
 */
export interface Polled {
  readonly received: number;
  readonly failed: number;
  readonly partial: boolean;
  readonly threw: boolean;
}

/**
 * Polls a queue once and invokes the function, as Lambda's poller does.
 *
 * Messages that are not in `batchItemFailures` are deleted. The whole batch fails where the
 * function throws, or names an identifier that is none of the event's. A failed message is
 * visible again at once, instead of after the visibility timeout, so that no test waits.
 */
export async function pollQueue({ client, url, batchSize, invoke }: PolledQueue): Promise<Polled> {
  const answer = await client.send(
    new ReceiveMessageCommand({
      QueueUrl: url,
      MaxNumberOfMessages: batchSize,
      MessageSystemAttributeNames: ['ApproximateReceiveCount', 'SentTimestamp'],
      MessageAttributeNames: ['All'],
    }),
  );
  const messages = answer.Messages ?? [];
  if (messages.length === 0) return { received: 0, failed: 0, partial: false, threw: false };
  const response = await invoke(
    toEvent(messages),
    makeContext(() => 110_000),
  ).catch(() => undefined);
  const failed = findFailed(messages, response);
  for (const message of messages) {
    const receipt = { QueueUrl: url, ReceiptHandle: message.ReceiptHandle };
    await (failed.has(message.MessageId)
      ? client
          .send(new ChangeMessageVisibilityCommand({ ...receipt, VisibilityTimeout: 0 }))
          .catch(unlessVisible)
      : client.send(new DeleteMessageCommand(receipt)));
  }
  const partial = failed.size > 0 && failed.size < messages.length;
  return { received: messages.length, failed: failed.size, partial, threw: response === undefined };
}

/** The function itself may have made the message visible, after no wait at all. */
function unlessVisible(error: Error): void {
  if (error.name !== 'MessageNotInflight') throw error;
}

function findFailed(
  messages: readonly Message[],
  response: SQSBatchResponse | undefined,
): Set<string | undefined> {
  const ids = new Set(messages.map(({ MessageId }) => MessageId));
  const named = response?.batchItemFailures.map(({ itemIdentifier }) => itemIdentifier);
  if (named === undefined || named.some(id => !ids.has(id))) return ids;
  return new Set(named);
}

function toEvent(messages: readonly Message[]): SQSEvent {
  return {
    Records: messages.map(
      ({ MessageId = '', ReceiptHandle = '', Body = '', Attributes = {}, MessageAttributes = {} }) => ({
        messageId: MessageId,
        receiptHandle: ReceiptHandle,
        body: Body,
        attributes: {
          ApproximateReceiveCount: Attributes.ApproximateReceiveCount ?? '1',
          SentTimestamp: Attributes.SentTimestamp ?? '0',
          SenderId: 'poller',
          ApproximateFirstReceiveTimestamp: Attributes.SentTimestamp ?? '0',
        },
        messageAttributes: Object.fromEntries(
          Object.entries(MessageAttributes).map(([name, { DataType = '', StringValue = '' }]) => [
            name,
            { dataType: DataType, stringValue: StringValue },
          ]),
        ),
        md5OfBody: '',
        eventSource: 'aws:sqs',
        eventSourceARN: 'arn:aws:sqs:us-east-1:000000000000:queue',
        awsRegion: 'us-east-1',
      }),
    ),
  };
}
