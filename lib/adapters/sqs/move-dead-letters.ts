import {
  CancelMessageMoveTaskCommand,
  ListMessageMoveTasksCommand,
  type SQSClient,
  StartMessageMoveTaskCommand,
} from '@aws-sdk/client-sqs';
import { askAws } from '../aws/ask-aws.ts';

/** A task of SQS that moves dead letters back to their queue. */
export interface MoveTask {
  readonly status: 'RUNNING' | 'COMPLETED' | 'CANCELLING' | 'CANCELLED' | 'FAILED';
  readonly moved: number;
  /** Messages to move. Undefined where SQS does not say. */
  readonly toMove: number | undefined;
  /** The handle by which a running task can be cancelled. Undefined for other tasks. */
  readonly handle: string | undefined;
}

/** SQS's limit for the rate of a move. A queue has at most one move task at a time. */
export const MAX_MOVES_PER_SECOND = 500;

/**
 * Starts moving all dead letters back to the queues that they came from.
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
  await askAws('sqs:StartMessageMoveTask', () => client.send(command));
}

/** Finds the latest move task of a dead-letter queue. Undefined: there never was one. */
export async function findMove(client: SQSClient, deadLetterArn: string): Promise<MoveTask | undefined> {
  const command = new ListMessageMoveTasksCommand({ SourceArn: deadLetterArn, MaxResults: 1 });
  const { Results } = await askAws('sqs:ListMessageMoveTasks', () => client.send(command));
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
  await askAws('sqs:CancelMessageMoveTask', () =>
    client.send(new CancelMessageMoveTaskCommand({ TaskHandle: handle })),
  );
}
