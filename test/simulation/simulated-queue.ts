/** A standard queue: at least once, in any order, with a dead-letter queue behind it. What delivers from it is `deliver.ts`. */
export interface SimulatedQueue {
  readonly name: string;
  readonly consumer: 'embed' | 'write';
  readonly messages: Set<SimulatedMessage>;
  readonly deadLetters: SimulatedMessage[];
  /** Invocations that are working on a batch. */
  busy: number;
  /** Its event source takes nothing. */
  closed: boolean;
  /** The guard's mark. */
  closedByUs: boolean;
  changingUntilMs: number;
}

export interface SimulatedMessage {
  readonly messageId: string;
  readonly body: string;
  readonly isGarbage: boolean;
  receiveCount: number;
  visibleAtMs: number;
  receiptHandle: string;
}

export const MAX_RECEIVE_COUNT = 5;

export function createSimulatedQueue(name: string, consumer: SimulatedQueue['consumer']): SimulatedQueue {
  return {
    ...{ name, consumer, messages: new Set(), deadLetters: [], busy: 0 },
    ...{ closed: false, closedByUs: false, changingUntilMs: 0 },
  };
}

export function findByReceipt(queue: SimulatedQueue, receiptHandle: string): SimulatedMessage | undefined {
  const messageId = receiptHandle.slice(0, receiptHandle.indexOf('#'));
  for (const message of queue.messages) if (message.messageId === messageId) return message;
  return undefined;
}
