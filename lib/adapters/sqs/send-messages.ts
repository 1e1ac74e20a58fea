import { SendMessageBatchCommand, type SQSClient } from '@aws-sdk/client-sqs';
import type { FreshetError } from '../../core/errors/freshet-error.ts';
import { findSendFault } from '../../core/messages/find-send-fault.ts';
import type { OutgoingMessage, SendReport } from '../../ports/message-queue.ts';
import { toAwsFailure } from '../aws/to-aws-failure.ts';
import { type IndexedMessage, packEntries } from './pack-entries.ts';

interface SendFailure {
  readonly index: number;
  readonly code: string;
  /** Whether the queue is to blame and not the message: the same entry can pass the next time. */
  readonly passing: boolean;
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
export async function sendMessages(
  target: SendTarget,
  messages: readonly OutgoingMessage[],
): Promise<SendReport> {
  const deadline = AbortSignal.timeout(target.timeoutMs);
  const indexed = messages.map((message, index) => ({
    index,
    message,
    bytes: Buffer.byteLength(message.body),
  }));
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
    waiting = waiting.filter(({ index }) => failures.get(index)?.passing);
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
      return [{ index, code: codeOf(refusal?.Code), passing: refusal?.SenderFault !== true }];
    });
    return { failed };
  } catch (cause) {
    const error = toAwsFailure('SQS', cause);
    return { error, failed: batch.map(({ index }) => ({ index, code: error.code, passing: false })) };
  }
}

/** Returns the service's code if it has the form of one, because the code is logged. */
function codeOf(code: string | undefined): string {
  return code !== undefined && /^[A-Za-z][A-Za-z0-9.]{1,99}$/.test(code) ? code : 'NotAccepted';
}
