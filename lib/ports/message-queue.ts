/** The sending side of a standard queue: at least once, in any order. */
export interface MessageQueue {
  /**
   * Sends up to any number of messages. Resolves with the positions that were not accepted; a rejection means that nothing is
   * known of any of them. A message that was accepted may still be delivered twice.
   */
  send(messages: readonly OutgoingMessage[]): Promise<SendReport>;
  /** Makes a received message visible again after `seconds` (0 to 43,200), counted from now. Does nothing if it is gone. */
  changeVisibility(receiptHandle: string, seconds: number): Promise<void>;
}

export interface OutgoingMessage {
  /** At most 1 MiB; ids, hashes and numbers only. */
  readonly body: string;
  readonly delaySeconds?: number;
}

export interface SendReport {
  readonly failed: readonly { readonly index: number; readonly code: string }[];
}

/** The receiving side, as Lambda's poller uses it; only the local runner and tests need it. */
export interface ReceivingQueue extends MessageQueue {
  /** Up to 10 visible messages, which become invisible for the queue's visibility timeout. Never waits. */
  receive(limit: number): Promise<ReceivedMessage[]>;
  /** A receipt that was superseded by a later receive does nothing. */
  delete(receiptHandle: string): Promise<void>;
  /** `visible` now, `inFlight` received and not yet deleted, `delayed` not yet visible for the first time. */
  depth(): Promise<{ visible: number; inFlight: number; delayed: number }>;
}

export interface ReceivedMessage {
  readonly messageId: string;
  readonly receiptHandle: string;
  readonly body: string;
  /** 1 at the first delivery. */
  readonly receiveCount: number;
  readonly sentAtMs: number;
}
