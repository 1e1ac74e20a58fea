import {
  CancelMessageMoveTaskCommand,
  GetQueueAttributesCommand,
  GetQueueUrlCommand,
  ListMessageMoveTasksCommand,
  type SQSClient,
  StartMessageMoveTaskCommand,
} from '@aws-sdk/client-sqs';
import { FreshetError } from '../../core/errors.ts';
import { parseJson } from '../../core/messages.ts';
import { callAwsForPerson } from '../aws/call-aws.ts';

interface DeadLetterQueue {
  readonly arn: string;
  readonly url: string;
}

/**
 * Finds the dead-letter queue of a queue by the queue's redrive policy.
 * @throws FreshetError `no_dead_letter_queue`, of class `stop`
 */
export async function findDeadLetterQueue(client: SQSClient, queueUrl: string): Promise<DeadLetterQueue> {
  const command = new GetQueueAttributesCommand({ QueueUrl: queueUrl, AttributeNames: ['RedrivePolicy'] });
  const { Attributes } = await callAwsForPerson('sqs:GetQueueAttributes', () => client.send(command));
  const arn = readTarget(Attributes?.RedrivePolicy);
  if (arn === undefined)
    throw new FreshetError('A queue of the deployment has no dead-letter queue: deploy the stack again.', {
      failureClass: 'stop',
      code: 'no_dead_letter_queue',
    });
  const [, , , , account, QueueName] = arn.split(':');
  const { QueueUrl } = await callAwsForPerson('sqs:GetQueueUrl', () =>
    client.send(new GetQueueUrlCommand({ QueueName, QueueOwnerAWSAccountId: account })),
  );
  return { arn, url: QueueUrl ?? '' };
}

function readTarget(policy: string | undefined): string | undefined {
  const { deadLetterTargetArn } = Object(parseJson(policy ?? '')) as { deadLetterTargetArn?: unknown };
  return typeof deadLetterTargetArn === 'string' ? deadLetterTargetArn : undefined;
}

/** A task of SQS that moves dead letters back to their queue. */
export interface MoveTask {
  readonly status: 'RUNNING' | 'COMPLETED' | 'CANCELLING' | 'CANCELLED' | 'FAILED';
  readonly moved: number;
  /** Messages to move. Undefined where SQS does not say. */
  readonly toMove: number | undefined;
  /** The handle by which a running task can be cancelled. Undefined for other tasks. */
  readonly handle: string | undefined;
}

/**
 * Starts moving all dead letters back to the queues that they came from.
 * SQS runs one task per queue, at 500 messages a second at most.
 * `perSecond` is the rate in messages. Undefined: as fast as SQS can.
 */
export async function startMove(
  client: SQSClient,
  deadLetterArn: string,
  perSecond: number | undefined,
): Promise<void> {
  const command = new StartMessageMoveTaskCommand({
    SourceArn: deadLetterArn,
    ...(perSecond === undefined ? {} : { MaxNumberOfMessagesPerSecond: perSecond }),
  });
  await callAwsForPerson('sqs:StartMessageMoveTask', () => client.send(command));
}

/** Finds the latest move task of a dead-letter queue. Undefined: there never was one. */
export async function findMove(client: SQSClient, deadLetterArn: string): Promise<MoveTask | undefined> {
  const command = new ListMessageMoveTasksCommand({ SourceArn: deadLetterArn, MaxResults: 1 });
  const { Results } = await callAwsForPerson('sqs:ListMessageMoveTasks', () => client.send(command));
  const [task] = Results ?? [];
  if (task === undefined) return undefined;
  return {
    status: (task.Status ?? 'FAILED') as MoveTask['status'],
    moved: Number(task.ApproximateNumberOfMessagesMoved ?? 0),
    toMove: task.ApproximateNumberOfMessagesToMove,
    handle: task.TaskHandle,
  };
}

/** Cancels a move task. Messages that were moved before stay moved. */
export async function cancelMove(client: SQSClient, handle: string): Promise<void> {
  await callAwsForPerson('sqs:CancelMessageMoveTask', () =>
    client.send(new CancelMessageMoveTaskCommand({ TaskHandle: handle })),
  );
}
