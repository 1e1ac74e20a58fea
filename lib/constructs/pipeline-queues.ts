import { Duration } from 'aws-cdk-lib';
import type { Queue } from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import type { Lane } from '../core/model/vocabulary.ts';
import { LANES, visibilitySeconds } from './function-settings.ts';
import { QueuePair } from './queue-pair.ts';

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
