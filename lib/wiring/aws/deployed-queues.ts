import { askAws } from '../../adapters/aws/ask-aws.ts';
import { findDeadLetterQueue } from '../../adapters/sqs/find-dead-letter-queue.ts';
import { createSqsQueue } from '../../adapters/sqs/sqs-queue.ts';
import { nearestWord } from '../../core/config/nearest-word.ts';
import { UsageError } from '../../core/errors/usage-error.ts';
import type { DeadLetterSource } from '../../ports/operator.ts';
import type { Deployment } from './open-deployment.ts';

/**
 * A queue of the deployment under the name that people use.
 * The name is `results`, or `<model>/<lane>`.
 */
export interface DeployedQueue {
  readonly name: string;
  readonly source: DeadLetterSource;
  readonly url: string;
}

interface QueueDepth {
  readonly queue: string;
  readonly visible: number;
  readonly inFlight: number;
  readonly deadLetters: number;
}

export function listQueues({ settings }: Deployment): DeployedQueue[] {
  const dispatch = Object.entries(settings.queues).flatMap(([model, urls]) =>
    (['fresh', 'bulk'] as const).map(lane => ({
      name: `${model}/${lane}`,
      source: { model, lane },
      url: urls[lane],
    })),
  );
  return [...dispatch, { name: 'results', source: 'results', url: settings.resultsQueueUrl }];
}

/**
 * The queue with this name; without a name all queues.
 * @throws UsageError for a name that no queue has.
 */
export function chooseQueues(deployment: Deployment, name: string | undefined): DeployedQueue[] {
  const queues = listQueues(deployment);
  const chosen = queues.filter(queue => name === undefined || queue.name === name);
  if (chosen.length > 0) return chosen;
  const names = queues.map(queue => queue.name);
  const nearest = nearestWord(name ?? '', names);
  throw new UsageError(
    `--queue ${JSON.stringify(name)}: there is no such queue.${nearest === undefined ? '' : ` Did you mean ${nearest}?`}`,
    `Queues: ${names.join(', ')}`,
  );
}

export async function readDepth({ clients }: Deployment, queue: DeployedQueue): Promise<QueueDepth> {
  const depthOf = (queueUrl: string) =>
    askAws('sqs:GetQueueAttributes', () => createSqsQueue({ client: clients.sqs, queueUrl }).depth());
  const { visible, inFlight } = await depthOf(queue.url);
  const letters = await depthOf((await findDeadLetterQueue(clients.sqs, queue.url)).url);
  return { queue: queue.name, visible, inFlight, deadLetters: letters.visible + letters.inFlight };
}
