import { Duration } from 'aws-cdk-lib';
import { PolicyStatement } from 'aws-cdk-lib/aws-iam';
import { EventSourceMapping, type IFunction } from 'aws-cdk-lib/aws-lambda';
import type { IQueue } from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import { CONSUMERS } from './function-settings.ts';

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
