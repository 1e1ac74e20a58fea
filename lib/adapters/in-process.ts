import { findSendFault, MAX_MESSAGES_PER_RECEIVE, requireVisibility } from '../core/messages.ts';
import type { Clock, Randomness } from '../ports/process.ts';
import type { ObjectStore, OutgoingMessage, ReceivedMessage, ReceivingQueue } from '../ports/queues.ts';

interface InProcessQueueOptions {
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
  readonly traceparent: string | undefined;
  readonly sentAtMs: number;
  visibleAtMs: number;
  receiveCount: number;
  receiptHandle: string | undefined;
}

/**
 * Creates a standard queue in memory that follows SQS's rules.
 * `test/contracts` holds this queue and SQS to the same suite.
 */
export function createInProcessQueue(options: InProcessQueueOptions): InProcessQueue {
  const { clock, randomness } = options;
  const messages = new Map<string, StoredMessage>();
  let notifySent: () => void = () => {};

  const add = (message: OutgoingMessage) => {
    const sentAtMs = clock.now();
    const messageId = randomness.identifier();
    const visibleAtMs = sentAtMs + (message.delaySeconds ?? 0) * 1000;
    messages.set(messageId, {
      messageId,
      body: message.body,
      traceparent: message.traceparent,
      sentAtMs,
      visibleAtMs,
      receiveCount: 0,
      receiptHandle: undefined,
    });
  };

  const receiveOne = async (message: StoredMessage): Promise<ReceivedMessage | undefined> => {
    if (message.receiveCount >= options.maxReceiveCount) {
      messages.delete(message.messageId);
      const { body, traceparent } = message;
      await options.deadLetter?.send([{ body, traceparent }]);
      return undefined;
    }
    message.receiveCount += 1;
    const duplicated = (options.duplicateShare ?? 0) > randomness.fraction();
    message.visibleAtMs = clock.now() + (duplicated ? 0 : options.visibilitySeconds * 1000);
    message.receiptHandle = `${message.messageId}#${randomness.identifier()}`;
    const { messageId, receiptHandle, body, receiveCount, sentAtMs, traceparent } = message;
    const received = { messageId, receiptHandle, body, receiveCount, sentAtMs };
    return traceparent === undefined ? received : { ...received, traceparent };
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
      notifySent();
      return { failed };
    },
    async receive(limit) {
      const received: ReceivedMessage[] = [];
      for (const message of [...messages.values()]) {
        if (received.length >= Math.min(limit, MAX_MESSAGES_PER_RECEIVE)) break;
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
      requireVisibility(seconds);
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
      notifySent = listener;
    },
    remainingBodies: () => [...messages.values()].map(message => message.body),
  };
}

/**
 * Creates an object store that lives as long as the process.
 * Bodies are copied on the way in, so that later changes of the caller's buffer have no effect.
 * With `sealed` they are kept as they are: nobody else can reach the objects, and the caller leaves
 * the body alone.
 */
export function createInProcessObjectStore(options: { readonly sealed?: true } = {}): ObjectStore {
  const objects = new Map<string, Buffer>();
  return {
    ...options,
    async put(key, body) {
      objects.set(key, options.sealed ? body : Buffer.from(body));
    },
    async get(key) {
      return objects.get(key);
    },
    async remove(key) {
      objects.delete(key);
    },
  };
}
