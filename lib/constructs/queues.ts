import { Duration } from 'aws-cdk-lib';
import { PolicyStatement } from 'aws-cdk-lib/aws-iam';
import { EventSourceMapping, type IFunction } from 'aws-cdk-lib/aws-lambda';
import { type IQueue, Queue, QueueEncryption } from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import type { Lane } from '../core/model.ts';
import {
  CONSUMERS,
  DEAD_LETTER_RETENTION_DAYS,
  LANES,
  MAX_RECEIVE_COUNT,
  QUEUE_RETENTION_DAYS,
  visibilitySeconds,
} from './function-settings.ts';

/** A queue of dead letters, which stay as long as SQS keeps anything. */
export class DeadLetterQueue extends Construct {
  readonly queue: Queue;

  constructor(scope: Construct, id: string) {
    super(scope, id);
    this.queue = new Queue(this, 'Queue', {
      retentionPeriod: Duration.days(DEAD_LETTER_RETENTION_DAYS),
      enforceSSL: true,
      encryption: QueueEncryption.SQS_MANAGED,
    });
  }
}

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

export interface PipelineLane {
  readonly alias: string;
  readonly lane: Lane;
  readonly queue: Queue;
  readonly deadLetterQueue: Queue;
}

/**
 * Every queue that messages of rows pass through.
 * There is a `fresh` and a `bulk` queue per model alias, and `results`.
 */
export class PipelineQueues extends Construct {
  readonly embed: ReadonlyMap<string, Readonly<Record<Lane, QueuePair>>>;
  readonly results: QueuePair;

  constructor(scope: Construct, id: string, aliases: readonly string[]) {
    super(scope, id);
    this.embed = new Map(aliases.map(alias => [alias, this.#lanesOf(alias)]));
    this.results = new QueuePair(this, 'Results', {
      visibilityTimeout: Duration.seconds(visibilitySeconds('write')),
    });
  }

  /** Every lane of every alias, with the two names that tell the lane apart. */
  get lanes(): readonly PipelineLane[] {
    return [...this.embed].flatMap(([alias, pairs]) =>
      LANES.map(lane => {
        const { queue, deadLetterQueue } = pairs[lane];
        return { alias, lane, queue, deadLetterQueue };
      }),
    );
  }

  #lanesOf(alias: string): Record<Lane, QueuePair> {
    const create = (lane: Lane) =>
      new QueuePair(this, `${alias}-${lane}`, {
        visibilityTimeout: Duration.seconds(visibilitySeconds('embed')),
      });
    return { fresh: create('fresh'), bulk: create('bulk') };
  }
}

export interface QueueConsumerProps {
  readonly consumer: 'embed' | 'write';
  readonly target: IFunction;
  readonly queue: IQueue;
  readonly maxConcurrency: number;
  readonly enabled: boolean;
}

/**
 * Feeds one queue into a function.
 * Concurrency is bounded here and not by reserving it, because a batch that Lambda throttles would
 * count as received.
 */
export class QueueConsumer extends Construct {
  readonly mapping: EventSourceMapping;

  constructor(scope: Construct, id: string, props: QueueConsumerProps) {
    super(scope, id);
    const { batchSize, windowSeconds } = CONSUMERS[props.consumer];
    this.mapping = new EventSourceMapping(this, 'Mapping', {
      target: props.target,
      eventSourceArn: props.queue.queueArn,
      batchSize,
      maxBatchingWindow: Duration.seconds(windowSeconds),
      maxConcurrency: props.maxConcurrency,
      reportBatchItemFailures: true,
      enabled: props.enabled,
    });
  }
}

/** What Lambda does with the queues in the function's name, and what giving back takes. */
export function consumeStatement(queues: readonly IQueue[]): PolicyStatement {
  return new PolicyStatement({
    actions: [
      'sqs:ReceiveMessage',
      'sqs:DeleteMessage',
      'sqs:ChangeMessageVisibility',
      'sqs:GetQueueAttributes',
    ],
    resources: queues.map(queue => queue.queueArn),
  });
}

/** Looking at dead letters one by one, and deleting those that were sent again. */
export function redriveStatement(deadLetterQueues: readonly IQueue[]): PolicyStatement {
  return new PolicyStatement({
    actions: [
      'sqs:ReceiveMessage',
      'sqs:DeleteMessage',
      'sqs:ChangeMessageVisibility',
      'sqs:GetQueueAttributes',
      'sqs:GetQueueUrl',
    ],
    resources: deadLetterQueues.map(queue => queue.queueArn),
  });
}

export function sendStatement(queues: readonly IQueue[]): PolicyStatement {
  return new PolicyStatement({
    actions: ['sqs:SendMessage', 'sqs:GetQueueAttributes'],
    resources: queues.map(queue => queue.queueArn),
  });
}
