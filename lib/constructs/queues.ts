import { Duration } from 'aws-cdk-lib';
import { Queue, QueueEncryption } from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import type { Lane } from '../core/model.ts';
import {
  DEAD_LETTER_RETENTION_DAYS,
  LANES,
  MAX_RECEIVE_COUNT,
  QUEUE_RETENTION_DAYS,
  visibilitySeconds,
} from './function-settings.ts';

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
    this.results = new QueuePair(this, 'Results', 'write');
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
    const create = (lane: Lane) => new QueuePair(this, `${alias}-${lane}`, 'embed');
    return { fresh: create('fresh'), bulk: create('bulk') };
  }
}

/**
 * A standard queue and its dead-letter queue, encrypted, with TLS enforced.
 * Dead letters are kept longer than messages of the source queue. The age of a dead letter counts
 * from its first send.
 */
export class QueuePair extends Construct {
  readonly queue: Queue;
  readonly deadLetterQueue: Queue;

  constructor(scope: Construct, id: string, consumer: 'embed' | 'write') {
    super(scope, id);
    this.deadLetterQueue = new DeadLetterQueue(this, 'DeadLetters').queue;
    this.queue = new Queue(this, 'Queue', {
      visibilityTimeout: Duration.seconds(visibilitySeconds(consumer)),
      retentionPeriod: Duration.days(QUEUE_RETENTION_DAYS),
      enforceSSL: true,
      encryption: QueueEncryption.SQS_MANAGED,
      deadLetterQueue: { queue: this.deadLetterQueue, maxReceiveCount: MAX_RECEIVE_COUNT },
    });
  }
}

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
