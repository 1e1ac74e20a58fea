import { findDeadLetterQueue } from '../../adapters/sqs/find-dead-letter-queue.ts';
import { cancelMove, findMove, type MoveTask, startMove } from '../../adapters/sqs/move-dead-letters.ts';
import { UsageError } from '../../core/errors/usage-error.ts';
import type { DeployedQueue } from './deployed-queues.ts';
import type { Deployment } from './open-deployment.ts';

const LOOK_EVERY_MS = 2000;

export type { MoveTask };

/**
 * Lets SQS move every dead letter of the queue back, and tells how far it is until it ends. An abort leaves the task running.
 * @throws UsageError while another task of the queue runs.
 */
export async function moveQueue(
  { clients, clock, lineOf }: Deployment,
  queue: DeployedQueue,
  options: {
    readonly perSecond: number | undefined;
    readonly signal: AbortSignal;
    readonly onProgress: (task: MoveTask) => void;
  },
): Promise<MoveTask | undefined> {
  const { arn } = await findDeadLetterQueue(clients.sqs, queue.url);
  const running = await findMove(clients.sqs, arn);
  if (isRunning(running))
    throw new UsageError(
      `Dead letters of ${queue.name} are being moved already; SQS has one task per queue.`,
      `${lineOf(`redrive --queue ${queue.name} --cancel --apply`)} ends it.`,
    );
  await startMove(clients.sqs, arn, options.perSecond);
  let task = await findMove(clients.sqs, arn);
  while (isRunning(task) && !options.signal.aborted) {
    options.onProgress(task);
    await clock.sleep(LOOK_EVERY_MS, options.signal);
    task = await findMove(clients.sqs, arn);
  }
  return task;
}

/** Resolves with the task that was cancelled; undefined when none runs. */
export async function cancelQueueMove(
  { clients }: Deployment,
  queue: DeployedQueue,
): Promise<MoveTask | undefined> {
  const { arn } = await findDeadLetterQueue(clients.sqs, queue.url);
  const task = await findMove(clients.sqs, arn);
  if (task?.handle === undefined || task.status !== 'RUNNING') return undefined;
  await cancelMove(clients.sqs, task.handle);
  return task;
}

function isRunning(task: MoveTask | undefined): task is MoveTask {
  return task?.status === 'RUNNING' || task?.status === 'CANCELLING';
}
