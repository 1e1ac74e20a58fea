import { CfnOutput, Duration, Stack, type StackProps } from 'aws-cdk-lib';
import type { Construct } from 'constructs';
import { aliasesOf, type PipelineConfig } from '../core/config/pipeline-config.ts';
import type { Lane } from '../core/model/vocabulary.ts';
import { ClaimsBucket } from './claims-bucket.ts';
import { QueuePair } from './queue-pair.ts';

export interface MessagingStackProps extends StackProps {
  readonly config: PipelineConfig;
}

const LANES: readonly Lane[] = ['fresh', 'bulk'];

/** One provider call may take the configured timeout and three tries; embed then still has to store and announce what it bought. */
const EMBED_RECEIVE_SECONDS = 120;
const WRITE_RECEIVE_SECONDS = 60;

/** Everything durable that messages pass through: a `fresh` and a `bulk` queue per model alias, the results queue, the claims bucket. */
export class MessagingStack extends Stack {
  readonly embedQueues: ReadonlyMap<string, Readonly<Record<Lane, QueuePair>>>;
  readonly results: QueuePair;
  readonly claims: ClaimsBucket;

  constructor(scope: Construct, id: string, props: MessagingStackProps) {
    super(scope, id, props);
    const aliases = [...new Set(props.config.sources.flatMap(aliasesOf))].sort();
    this.embedQueues = new Map(aliases.map(alias => [alias, this.#queuesOf(alias)]));
    this.results = new QueuePair(this, 'Results', {
      receiveTimeout: Duration.seconds(WRITE_RECEIVE_SECONDS),
    });
    this.claims = new ClaimsBucket(this, 'Claims');
    new CfnOutput(this, 'ResultsQueueUrl', { value: this.results.queue.queueUrl });
    new CfnOutput(this, 'ClaimsBucketName', { value: this.claims.bucket.bucketName });
  }

  #queuesOf(alias: string): Record<Lane, QueuePair> {
    const pairs = LANES.map(lane => {
      const pair = new QueuePair(this, `Embed-${alias}-${lane}`, {
        receiveTimeout: Duration.seconds(EMBED_RECEIVE_SECONDS),
      });
      new CfnOutput(this, `EmbedQueueUrl-${alias}-${lane}`, { value: pair.queue.queueUrl });
      return [lane, pair] as const;
    });
    return Object.fromEntries(pairs) as Record<Lane, QueuePair>;
  }
}
