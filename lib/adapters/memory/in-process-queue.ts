import { FreshetError } from '../../core/errors.ts';
import { findSendFault } from '../../core/messages.ts';
import type { Clock, Randomness } from '../../ports/process.ts';
import type { OutgoingMessage, ReceivedMessage, ReceivingQueue } from '../../ports/queues.ts';

interface InProcessQueueOptions {
  readonly name: string;
  readonly visibilitySeconds: number;
  /**
   * Deliveries after which the next receive moves the message to `deadLetter`.
   * Without a dead-letter queue the message is dropped.
   */
  readonly maxReceiveCount: number;
  readonly deadLetter?: ReceivingQueue | undefined;
  readonly clock: Clock;
  readonly randomness: Randomness;
  /** Share of messages that are delivered twice, as a standard queue may. Default 0. */
  readonly duplicateShare?: number | undefined;
}

interface InProcessQueue extends ReceivingQueue {
  /** When the next invisible message can be received. Undefined: none is invisible. */
  nextVisibleAtMs(): number | undefined;
  /** Bodies of all messages that were sent and not deleted, visible or not. */
  remainingBodies(): string[];
  /** Calls `listener` after every send. A later listener replaces the earlier one. */
  onSent(listener: () => void): void;
}

interface StoredMessage {
  readonly messageId: string;
  readonly body: string;
  readonly sentAtMs: number;
  visibleAtMs: number;
  receiveCount: number;
  receiptHandle: string | undefined;
}

/** SQS's limits for the messages of one receive and for `VisibilityTimeout`. */
const MAX_RECEIVE = 10;
const MAX_VISIBILITY_SECONDS = 43_200;

/**
 * Creates a standard queue in memory that follows SQS's rules.
 * `test/contracts` holds this queue and SQS to the same suite.
 */
export function createInProcessQueue(options: InProcessQueueOptions): InProcessQueue {
  const { clock, randomness } = options;
  const messages = new Map<string, StoredMessage>();
  let tellSent: () => void = () => {};

  const add = (message: OutgoingMessage) => {
    const sentAtMs = clock.now();
    const messageId = randomness.identifier();
    const visibleAtMs = sentAtMs + (message.delaySeconds ?? 0) * 1000;
    messages.set(messageId, {
      messageId,
      body: message.body,
      sentAtMs,
      visibleAtMs,
      receiveCount: 0,
      receiptHandle: undefined,
    });
  };

  const receiveOne = async (message: StoredMessage): Promise<ReceivedMessage | undefined> => {
    if (message.receiveCount >= options.maxReceiveCount) {
      messages.delete(message.messageId);
      await options.deadLetter?.send([{ body: message.body }]);
      return undefined;
    }
    message.receiveCount += 1;
    const duplicated = (options.duplicateShare ?? 0) > randomness.fraction();
    message.visibleAtMs = clock.now() + (duplicated ? 0 : options.visibilitySeconds * 1000);
    message.receiptHandle = `${message.messageId}#${randomness.identifier()}`;
    const { messageId, receiptHandle, body, receiveCount, sentAtMs } = message;
    return { messageId, receiptHandle, body, receiveCount, sentAtMs };
  };

  /** Finds the message of a receipt. As in SQS, a receipt counts until a newer one replaces it. */
  const findByReceipt = (receiptHandle: string) => {
    const message = messages.get(receiptHandle.slice(0, receiptHandle.indexOf('#')));
    return message?.receiptHandle === receiptHandle ? message : undefined;
  };

  return {
    async send(outgoing) {
      const failed = outgoing.flatMap((message, index) => {
        const code = findSendFault(message);
        if (code !== undefined) return [{ index, code }];
        add(message);
        return [];
      });
      tellSent();
      return { failed };
    },
    async receive(limit) {
      const received: ReceivedMessage[] = [];
      for (const message of [...messages.values()]) {
        if (received.length >= Math.min(limit, MAX_RECEIVE)) break;
        if (message.visibleAtMs > clock.now()) continue;
        const delivery = await receiveOne(message);
        if (delivery) received.push(delivery);
      }
      return received;
    },
    async delete(receiptHandle) {
      const message = findByReceipt(receiptHandle);
      if (message) messages.delete(message.messageId);
    },
    async changeVisibility(receiptHandle, seconds) {
      if (!Number.isInteger(seconds) || seconds < 0 || seconds > MAX_VISIBILITY_SECONDS) {
        throw new FreshetError(
          `Queue ${options.name}: a visibility of ${seconds} s is not within 0 and 43200.`,
          {
            failureClass: 'unknown',
            code: 'invalid_visibility',
          },
        );
      }
      const message = findByReceipt(receiptHandle);
      if (message) message.visibleAtMs = clock.now() + seconds * 1000;
    },
    async depth() {
      const now = clock.now();
      const all = [...messages.values()];
      const hidden = all.filter(message => message.visibleAtMs > now);
      const inFlight = hidden.filter(message => message.receiveCount > 0).length;
      return { visible: all.length - hidden.length, inFlight, delayed: hidden.length - inFlight };
    },
    nextVisibleAtMs() {
      const now = clock.now();
      let next: number | undefined;
      for (const { visibleAtMs } of messages.values()) {
        if (visibleAtMs > now && (next === undefined || visibleAtMs < next)) next = visibleAtMs;
      }
      return next;
    },
    onSent(listener) {
      tellSent = listener;
    },
    remainingBodies: () => [...messages.values()].map(message => message.body),
  };
}
