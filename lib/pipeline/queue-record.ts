/** A received message as a step sees it. */
export interface QueueRecord {
  readonly messageId: string;
  readonly receiptHandle: string;
  readonly body: string;
  /** 1 at the first delivery. */
  readonly receiveCount: number;
}

/** `done`: acknowledge the message. `returned`: the message must be delivered again. */
export type RecordResult = 'done' | 'returned';
