import { Duration } from 'aws-cdk-lib';
import { Queue, QueueEncryption } from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';

export interface QueuePairProps {
  /** Longest time that one receive may take, batching window included; the queue stays invisible six times as long. */
  readonly receiveTimeout: Duration;
  /** @default 5; never below 5, because a receive counts even when no consumer saw it */
  readonly maxReceiveCount?: number;
}

/** A standard queue and its dead-letter queue: TLS enforced, encrypted, and the dead letters outlive the source (their age counts from the first send). */
export class QueuePair extends Construct {
  readonly queue: Queue;
  readonly deadLetterQueue: Queue;

  constructor(scope: Construct, id: string, props: QueuePairProps) {
    super(scope, id);
    const maxReceiveCount = props.maxReceiveCount ?? 5;
    if (maxReceiveCount < 5) {
      throw new Error(`${this.node.path}: maxReceiveCount is ${maxReceiveCount}; give 5 or more`);
    }
    this.deadLetterQueue = new Queue(this, 'DeadLetters', {
      retentionPeriod: Duration.days(14),
      enforceSSL: true,
      encryption: QueueEncryption.SQS_MANAGED,
    });
    this.queue = new Queue(this, 'Queue', {
      visibilityTimeout: Duration.seconds(props.receiveTimeout.toSeconds() * 6),
      retentionPeriod: Duration.days(4),
      enforceSSL: true,
      encryption: QueueEncryption.SQS_MANAGED,
      deadLetterQueue: { queue: this.deadLetterQueue, maxReceiveCount },
    });
  }
}
