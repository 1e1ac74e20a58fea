import type { Function as LambdaFunction } from 'aws-cdk-lib/aws-lambda';
import type { Queue } from 'aws-cdk-lib/aws-sqs';
import type { FreshetMetrics } from './freshet-metrics.ts';
import { FUNCTION_NAMES, type FunctionName, visibilitySeconds } from './function-settings.ts';
import type { PipelineLane } from './pipeline-queues.ts';
import type { QueuePair } from './queue-pair.ts';

/** What dashboard and alarms look at. */
export interface ObservedPipeline {
  readonly metrics: FreshetMetrics;
  readonly functions: Readonly<Record<FunctionName, LambdaFunction>>;
  readonly lanes: readonly PipelineLane[];
  readonly resultsQueue: QueuePair;
  readonly scheduleDeadLetters: Queue;
  readonly sloSeconds: number;
  /** Seconds between two looks at the changed rows. */
  readonly tickSeconds: number;
  /** The inference component of SageMaker, where one serves a model. */
  readonly inferenceComponentName?: string | undefined;
}

export interface ObservedQueue {
  /** `<alias>-<lane>`, or `results`. */
  readonly name: string;
  readonly queue: Queue;
  readonly deadLetterQueue: Queue;
  readonly visibilitySeconds: number;
}

export function observedQueues({ lanes, resultsQueue }: ObservedPipeline): readonly ObservedQueue[] {
  return [
    ...lanes.map(({ alias, lane, queue, deadLetterQueue }) => ({
      name: `${alias}-${lane}`,
      queue,
      deadLetterQueue,
      visibilitySeconds: visibilitySeconds('embed'),
    })),
    {
      name: 'results',
      queue: resultsQueue.queue,
      deadLetterQueue: resultsQueue.deadLetterQueue,
      visibilitySeconds: visibilitySeconds('write'),
    },
  ];
}

/**
 * The functions that dashboard and alarms watch.
 * `migrate` runs in a deployment, which fails with it. What fails in `operate` is told to whoever
 * asked.
 */
export const OBSERVED_FUNCTIONS: readonly FunctionName[] = FUNCTION_NAMES.filter(
  name => name !== 'migrate' && name !== 'operate',
);
