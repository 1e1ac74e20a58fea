import {
  ChangeMessageVisibilityCommand,
  DeleteMessageCommand,
  GetQueueAttributesCommand,
  type Message,
  ReceiveMessageCommand,
  type SQSClient,
} from '@aws-sdk/client-sqs';
import { FreshetError } from '../../core/errors/freshet-error.ts';
import type { ReceivedMessage, ReceivingQueue } from '../../ports/message-queue.ts';
import { errorName, toAwsFailure } from '../aws/to-aws-failure.ts';
import { sendMessages } from './send-messages.ts';

/** SQS's limits for the messages of one receive and for the visibility timeout. */
const MAX_RECEIVE = 10;
const MAX_VISIBILITY_SECONDS = 43_200;

/**
 * Time limit of a whole send: below the shortest time limit of a function.
 * A healthy send of 1,000 batches takes a few seconds.
 */
const SEND_TIMEOUT_MS = 30_000;

/** SQS's error names for a receipt whose message was deleted, expired, or is visible again. */
const GONE = /(MessageNotInflight|ReceiptHandleIsInvalid|InvalidParameterValue)$/;

/**
 * Creates the port for a standard queue of SQS.
 * Functions use only the sending side; Lambda's poller receives for them. Every rejection of its
 * methods is a `FreshetError`.
 */
export function createSqsQueue(options: {
  readonly client: SQSClient;
  readonly queueUrl: string;
  /** Time limit of a whole send, repeats included. Default 30 s. */
  readonly sendTimeoutMs?: number | undefined;
}): ReceivingQueue {
  const { client, queueUrl: QueueUrl, sendTimeoutMs: timeoutMs = SEND_TIMEOUT_MS } = options;
  return {
    send: messages => sendMessages({ client, queueUrl: QueueUrl, timeoutMs }, messages),
    async changeVisibility(ReceiptHandle, seconds) {
      if (!Number.isInteger(seconds) || seconds < 0 || seconds > MAX_VISIBILITY_SECONDS) {
        throw new FreshetError(
          `A visibility of ${seconds} s is not within 0 and ${MAX_VISIBILITY_SECONDS}.`,
          {
            failureClass: 'unknown',
            code: 'invalid_visibility',
          },
        );
      }
      const command = new ChangeMessageVisibilityCommand({
        QueueUrl,
        ReceiptHandle,
        VisibilityTimeout: seconds,
      });
      await unlessGone(client.send(command));
    },
    async receive(limit) {
      const command = new ReceiveMessageCommand({
        QueueUrl,
        MaxNumberOfMessages: Math.min(limit, MAX_RECEIVE),
        WaitTimeSeconds: 0,
        MessageSystemAttributeNames: ['ApproximateReceiveCount', 'SentTimestamp'],
      });
      const { Messages } = await classified(client.send(command));
      return (Messages ?? []).map(toReceived);
    },
    async delete(ReceiptHandle) {
      await unlessGone(client.send(new DeleteMessageCommand({ QueueUrl, ReceiptHandle })));
    },
    async depth() {
      const command = new GetQueueAttributesCommand({
        QueueUrl,
        AttributeNames: [
          'ApproximateNumberOfMessages',
          'ApproximateNumberOfMessagesNotVisible',
          'ApproximateNumberOfMessagesDelayed',
        ],
      });
      const { Attributes } = await classified(client.send(command));
      return {
        visible: Number(Attributes?.ApproximateNumberOfMessages ?? 0),
        inFlight: Number(Attributes?.ApproximateNumberOfMessagesNotVisible ?? 0),
        delayed: Number(Attributes?.ApproximateNumberOfMessagesDelayed ?? 0),
      };
    },
  };
}

function toReceived(message: Message): ReceivedMessage {
  const { MessageId, ReceiptHandle, Body, Attributes } = message;
  const receiveCount = Number(Attributes?.ApproximateReceiveCount);
  const sentAtMs = Number(Attributes?.SentTimestamp);
  const whole = MessageId && ReceiptHandle && Body !== undefined && receiveCount >= 1 && sentAtMs > 0;
  if (whole)
    return { messageId: MessageId, receiptHandle: ReceiptHandle, body: Body, receiveCount, sentAtMs };
  throw new FreshetError('SQS gave a message without its identity, body, receive count or time.', {
    failureClass: 'unknown',
    code: 'incomplete_message',
  });
}

async function unlessGone(call: Promise<unknown>): Promise<void> {
  try {
    await call;
  } catch (error) {
    if (!GONE.test(errorName(error) ?? '')) throw toAwsFailure('SQS', error);
  }
}

async function classified<T>(call: Promise<T>): Promise<T> {
  try {
    return await call;
  } catch (error) {
    throw toAwsFailure('SQS', error);
  }
}
