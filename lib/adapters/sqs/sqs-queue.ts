import {
  ChangeMessageVisibilityCommand,
  DeleteMessageCommand,
  GetQueueAttributesCommand,
  type Message,
  ReceiveMessageCommand,
  SendMessageBatchCommand,
  SQSClient,
} from '@aws-sdk/client-sqs';
import { FreshetError } from '../../core/errors.ts';
import {
  findSendFault,
  MAX_BODY_BYTES,
  MAX_MESSAGES_PER_RECEIVE,
  requireVisibility,
} from '../../core/messages.ts';
import type { OutgoingMessage, ReceivedMessage, ReceivingQueue, SendReport } from '../../ports/queues.ts';
import { allowMissing, callAws, errorName, toAwsFailure } from '../aws/call-aws.ts';
import { type AwsAccess, clientSettings } from '../aws/client-settings.ts';

/**
 * Time limit of a whole send: below the shortest time limit of a function.
 * A healthy send of 1,000 batches takes a few seconds.
 */
const SEND_TIMEOUT_MS = 30_000;

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
      requireVisibility(seconds);
      const command = new ChangeMessageVisibilityCommand({
        QueueUrl,
        ReceiptHandle,
        VisibilityTimeout: seconds,
      });
      await ignoreStaleReceipt(() => client.send(command));
    },
    async receive(limit) {
      const command = new ReceiveMessageCommand({
        QueueUrl,
        MaxNumberOfMessages: Math.min(limit, MAX_MESSAGES_PER_RECEIVE),
        WaitTimeSeconds: 0,
        MessageSystemAttributeNames: ['ApproximateReceiveCount', 'SentTimestamp'],
        MessageAttributeNames: [TRACEPARENT],
      });
      const { Messages } = await callAws('SQS', () => client.send(command));
      return (Messages ?? []).map(toReceived);
    },
    async delete(ReceiptHandle) {
      await ignoreStaleReceipt(() => client.send(new DeleteMessageCommand({ QueueUrl, ReceiptHandle })));
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
      const { Attributes } = await callAws('SQS', () => client.send(command));
      return {
        visible: Number(Attributes?.ApproximateNumberOfMessages ?? 0),
        inFlight: Number(Attributes?.ApproximateNumberOfMessagesNotVisible ?? 0),
        delayed: Number(Attributes?.ApproximateNumberOfMessagesDelayed ?? 0),
      };
    },
  };
}

/** Creates a client of SQS. A request of 1 MiB takes tens of milliseconds. */
export function createSqsClient(access: AwsAccess): SQSClient {
  return new SQSClient(clientSettings(access, { requestTimeoutMs: 5_000 }));
}

function toReceived(message: Message): ReceivedMessage {
  const { MessageId, ReceiptHandle, Body, Attributes, MessageAttributes } = message;
  const receiveCount = Number(Attributes?.ApproximateReceiveCount);
  const sentAtMs = Number(Attributes?.SentTimestamp);
  const whole = MessageId && ReceiptHandle && Body !== undefined && receiveCount >= 1 && sentAtMs > 0;
  const traceparent = MessageAttributes?.[TRACEPARENT]?.StringValue;
  if (whole)
    return {
      ...{ messageId: MessageId, receiptHandle: ReceiptHandle, body: Body, receiveCount, sentAtMs },
      ...(traceparent !== undefined && { traceparent }),
    };
  throw new FreshetError('SQS gave a message without its identity, body, receive count or time.', {
    failureClass: 'unknown',
    code: 'incomplete_message',
  });
}

/** SQS's error names for a receipt whose message was deleted, expired, or is visible again. */
const STALE_RECEIPT = /(MessageNotInflight|ReceiptHandleIsInvalid|InvalidParameterValue)$/;

/** Makes a call on a received message. A receipt that is used up is no failure. */
async function ignoreStaleReceipt(call: () => Promise<unknown>): Promise<void> {
  await callAws('SQS', () => allowMissing(call, error => STALE_RECEIPT.test(errorName(error) ?? '')));
}

/**
 * The attribute that carries a message's span, under the name that OpenTelemetry uses.
 * It stands beside the body: code that does not know it never sees it.
 */
const TRACEPARENT = 'traceparent';

/** Bytes of a message as SQS counts them: the body, and the attribute's name, type and value. */
function countBytes({ body, traceparent }: OutgoingMessage): number {
  const attribute = traceparent === undefined ? '' : `${TRACEPARENT}String${traceparent}`;
  return Buffer.byteLength(body) + attribute.length;
}

/** A message with its position in the caller's list. */
interface IndexedMessage {
  readonly index: number;
  readonly message: OutgoingMessage;
  /** UTF-8 bytes of the body and the attribute. */
  readonly bytes: number;
}

interface SendFailure {
  readonly index: number;
  readonly code: string;
  /** Whether the queue is to blame and not the message: the same entry can pass the next time. */
  readonly retryable: boolean;
}

interface BatchResult {
  readonly failed: readonly SendFailure[];
  /** Set where the whole request failed: nothing is known of its messages then. */
  readonly error?: FreshetError;
}

/**
 * Requests under way at once.
 * A send of thousands of messages takes seconds with this number, and stays far below the client's
 * 50 connections.
 */
const CONCURRENT_BATCHES = 8;

/**
 * Rounds for entries that the queue failed while it took others.
 * The SDK repeats whole requests.
 */
const MAX_ROUNDS = 3;

/** The queue to send to, and the client for it. */
interface SendTarget {
  readonly client: SQSClient;
  readonly queueUrl: string;
  /** Time limit of a whole send, repeats included. */
  readonly timeoutMs: number;
}

/**
 * Sends messages as `MessageQueue.send` specifies.
 * The call rejects only where no request got through, so that the failure of one batch never hides
 * that another batch was accepted. A message of a failed request counts as not accepted and can
 * still arrive.
 */
async function sendMessages(target: SendTarget, messages: readonly OutgoingMessage[]): Promise<SendReport> {
  const deadline = AbortSignal.timeout(target.timeoutMs);
  const indexed = messages.map((message, index) => ({ index, message, bytes: countBytes(message) }));
  const failed = new Map<number, string>();
  for (const { index, message, bytes } of indexed) {
    const fault = findSendFault(message, bytes);
    if (fault !== undefined) failed.set(index, fault);
  }
  let waiting: IndexedMessage[] = indexed.filter(({ index }) => !failed.has(index));
  for (let round = 1; round <= MAX_ROUNDS && waiting.length > 0; round += 1) {
    const results = await sendBatches(target, packEntries(waiting), deadline);
    const [firstError] = results.flatMap(({ error }) => error ?? []);
    if (round === 1 && firstError !== undefined && results.every(({ error }) => error)) throw firstError;
    const failures = new Map(
      results.flatMap(result => result.failed).map(failure => [failure.index, failure]),
    );
    for (const { index } of waiting) failed.delete(index);
    for (const { index, code } of failures.values()) failed.set(index, code);
    waiting = waiting.filter(({ index }) => failures.get(index)?.retryable);
  }
  return { failed: [...failed].map(([index, code]) => ({ index, code })).sort((a, b) => a.index - b.index) };
}

async function sendBatches(
  target: SendTarget,
  batches: readonly IndexedMessage[][],
  deadline: AbortSignal,
): Promise<BatchResult[]> {
  const results: BatchResult[] = [];
  const remaining = batches.values();
  const work = async () => {
    for (const batch of remaining) results.push(await sendBatch(target, batch, deadline));
  };
  await Promise.all(Array.from({ length: Math.min(CONCURRENT_BATCHES, batches.length) }, work));
  return results;
}

async function sendBatch(
  { client, queueUrl: QueueUrl }: SendTarget,
  batch: readonly IndexedMessage[],
  deadline: AbortSignal,
): Promise<BatchResult> {
  const Entries = batch.map(({ message }, position) => ({
    Id: String(position),
    MessageBody: message.body,
    ...(message.delaySeconds === undefined ? {} : { DelaySeconds: message.delaySeconds }),
    ...(message.traceparent !== undefined && {
      MessageAttributes: { [TRACEPARENT]: { DataType: 'String', StringValue: message.traceparent } },
    }),
  }));
  try {
    const answer = await client.send(new SendMessageBatchCommand({ QueueUrl, Entries }), {
      abortSignal: deadline,
    });
    const taken = new Set((answer.Successful ?? []).map(({ Id }) => Id));
    const refusals = new Map((answer.Failed ?? []).map(entry => [entry.Id, entry]));
    const failed = batch.flatMap(({ index }, position) => {
      const id = String(position);
      if (taken.has(id)) return [];
      const refusal = refusals.get(id);
      // An entry that the answer does not mention was not accepted either.
      return [{ index, code: codeOf(refusal?.Code), retryable: refusal?.SenderFault !== true }];
    });
    return { failed };
  } catch (cause) {
    const error = toAwsFailure('SQS', cause);
    return { error, failed: batch.map(({ index }) => ({ index, code: error.code, retryable: false })) };
  }
}

/** Returns the service's code if it has the form of one, because the code is logged. */
function codeOf(code: string | undefined): string {
  return code !== undefined && /^[A-Za-z][A-Za-z0-9.]{1,99}$/.test(code) ? code : 'NotAccepted';
}

/** SQS's limit for the entries of one `SendMessageBatch`. */
const MAX_ENTRIES = 10;

/**
 * Packs messages in order into batches within SQS's limits.
 * The limits are those for entries and for the bytes of all bodies together.
 */
function packEntries(messages: readonly IndexedMessage[]): IndexedMessage[][] {
  const batches: IndexedMessage[][] = [];
  let batch: IndexedMessage[] = [];
  let bytes = 0;
  for (const entry of messages) {
    if (batch.length === MAX_ENTRIES || (batch.length > 0 && bytes + entry.bytes > MAX_BODY_BYTES)) {
      batches.push(batch);
      batch = [];
      bytes = 0;
    }
    batch.push(entry);
    bytes += entry.bytes;
  }
  if (batch.length > 0) batches.push(batch);
  return batches;
}
