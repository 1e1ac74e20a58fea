import {
  CancelMessageMoveTaskCommand,
  ListMessageMoveTasksCommand,
  type SQSClient,
  StartMessageMoveTaskCommand,
} from '@aws-sdk/client-sqs';
import { askAws } from '../aws/ask-aws.ts';

export interface MoveTask {
  readonly status: 'RUNNING' | 'COMPLETED' | 'CANCELLING' | 'CANCELLED' | 'FAILED';
  readonly moved: number;
  /** Undefined where SQS does not say. */
  readonly toMove: number | undefined;
  /** Only of a task that runs: by it it can be cancelled. */
  readonly handle: string | undefined;
}

/** Moves all dead letters back to the queue that they came from: one task per queue, at most 500 messages a second. Without a rate SQS goes as fast as it can. */
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

/** The latest task of the queue; undefined: there never was one. */
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

/** What was moved already stays moved. */
export async function cancelMove(client: SQSClient, handle: string): Promise<void> {
  await askAws('sqs:CancelMessageMoveTask', () =>
    client.send(new CancelMessageMoveTaskCommand({ TaskHandle: handle })),
  );
}
