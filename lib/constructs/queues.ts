import { Duration, Fn, Stack } from 'aws-cdk-lib';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import { Queue } from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import { nameOfLane, RESULTS_NAME } from '../core/config/queue-names.ts';
import { DEAD_LETTER_RETENTION_DAYS, QUEUE_RETENTION_DAYS } from '../core/messages.ts';
import type { Lane } from '../core/model.ts';
import { encryptionOf } from './encryption-keys.ts';
import { LANES, MAX_RECEIVE_COUNT, visibilitySeconds } from './function-settings.ts';

export interface PipelineLane {
  readonly alias: string;
  readonly lane: Lane;
  readonly queue: Queue;
  readonly deadLetterQueue: Queue;
}

interface PipelineQueuesProps {
  readonly stage: string;
  readonly aliases: readonly string[];
  /** Undefined: the queues are encrypted by SQS. */
  readonly key: IKey | undefined;
}

/**
 * Every queue that messages of rows pass through.
 * There is a `fresh` and a `bulk` queue per model alias, and `results`. Their names begin alike, so
 * that a function finds them by that beginning: the URLs of twelve models would not fit into its
 * environment. The beginning has the stage and eight digits of the id of the stack, which no other
 * stack has, nor this stack when it is made anew.
 */
export class PipelineQueues extends Construct {
  readonly embed: ReadonlyMap<string, Readonly<Record<Lane, QueuePair>>>;
  readonly results: QueuePair;
  /** What the URL of each queue begins with. */
  readonly urlPrefix: string;

  constructor(scope: Construct, id: string, { stage, aliases, key }: PipelineQueuesProps) {
    super(scope, id);
    const { region, account, urlSuffix, stackId } = Stack.of(this);
    const prefix = `freshet-${stage}-${Fn.select(0, Fn.split('-', Fn.select(2, Fn.split('/', stackId))))}`;
    this.urlPrefix = `https://sqs.${region}.${urlSuffix}/${account}/${prefix}`;
    const create = (queueId: string, consumer: 'embed' | 'write', rest: string) =>
      new QueuePair(this, queueId, { consumer, key, queueName: `${prefix}-${rest}` });
    this.embed = new Map(
      aliases.map(alias => {
        const ofLane = (lane: Lane) => create(`${alias}-${lane}`, 'embed', nameOfLane(alias, lane));
        return [alias, { fresh: ofLane('fresh'), bulk: ofLane('bulk') }];
      }),
    );
    this.results = create('Results', 'write', RESULTS_NAME);
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
}

interface QueuePairProps {
  readonly consumer: 'embed' | 'write';
  readonly key: IKey | undefined;
  readonly queueName: string;
}

/**
 * A standard queue and its dead-letter queue, encrypted, with TLS enforced.
 * Dead letters are kept longer than messages of the source queue. The age of a dead letter counts
 * from its first send.
 */
export class QueuePair extends Construct {
  readonly queue: Queue;
  readonly deadLetterQueue: Queue;

  constructor(scope: Construct, id: string, { consumer, key, queueName }: QueuePairProps) {
    super(scope, id);
    this.deadLetterQueue = new DeadLetterQueue(this, 'DeadLetters', key).queue;
    this.queue = new Queue(this, 'Queue', {
      queueName,
      visibilityTimeout: Duration.seconds(visibilitySeconds(consumer)),
      retentionPeriod: Duration.days(QUEUE_RETENTION_DAYS),
      enforceSSL: true,
      ...encryptionOf(key),
      deadLetterQueue: { queue: this.deadLetterQueue, maxReceiveCount: MAX_RECEIVE_COUNT },
    });
  }
}

/** A queue of dead letters, which stay as long as SQS keeps anything. */
export class DeadLetterQueue extends Construct {
  readonly queue: Queue;

  constructor(scope: Construct, id: string, key: IKey | undefined) {
    super(scope, id);
    this.queue = new Queue(this, 'Queue', {
      retentionPeriod: Duration.days(DEAD_LETTER_RETENTION_DAYS),
      enforceSSL: true,
      ...encryptionOf(key),
    });
  }
}
