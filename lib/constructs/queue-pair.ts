import { Duration } from 'aws-cdk-lib';
import { Queue, QueueEncryption } from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import { DeadLetterQueue } from './dead-letter-queue.ts';
import { MAX_RECEIVE_COUNT, QUEUE_RETENTION_DAYS } from './function-settings.ts';

export interface QueuePairProps {
  /** At least six times the consumer's timeout, plus its batching window. */
  readonly visibilityTimeout: Duration;
}

/**
 * A standard queue and its dead-letter queue, encrypted, with TLS enforced.
 * Dead letters are kept longer than messages of the source queue. The age of a dead letter counts
 * from its first send.
 */
export class QueuePair extends Construct {
  readonly queue: Queue;
  readonly deadLetterQueue: Queue;

  constructor(scope: Construct, id: string, props: QueuePairProps) {
    super(scope, id);
    this.deadLetterQueue = new DeadLetterQueue(this, 'DeadLetters').queue;
    this.queue = new Queue(this, 'Queue', {
      visibilityTimeout: props.visibilityTimeout,
      retentionPeriod: Duration.days(QUEUE_RETENTION_DAYS),
      enforceSSL: true,
      encryption: QueueEncryption.SQS_MANAGED,
      deadLetterQueue: { queue: this.deadLetterQueue, maxReceiveCount: MAX_RECEIVE_COUNT },
    });
  }
}
