import { createSqsClient } from '../adapters/sqs/create-sqs-client.ts';
import { createSqsQueue } from '../adapters/sqs/sqs-queue.ts';
import type { DeploymentSettings } from '../core/config/deployment-settings.ts';
import { type PipelineConfig, usedAliases } from '../core/config/pipeline-config.ts';
import { FreshetError } from '../core/errors/freshet-error.ts';
import type { DispatchQueues } from '../ports/dispatch-queues.ts';
import type { MessageQueue } from '../ports/message-queue.ts';

interface LambdaQueues {
  /** The SQS client that all queues of the function share. */
  readonly client: ReturnType<typeof createSqsClient>;
  readonly dispatch: DispatchQueues;
  readonly results: MessageQueue;
}

/**
 * Creates the sending side of the deployment's queues.
 * @throws FreshetError where the deployment has no queues for a model that the configuration uses.
 */
export function createLambdaQueues(settings: DeploymentSettings, config: PipelineConfig): LambdaQueues {
  const client = createSqsClient({ region: settings.region });
  const urlsOf = (alias: string) => {
    if (Object.hasOwn(settings.queues, alias)) return settings.queues[alias]!;
    throw new FreshetError(`FRESHET_DEPLOYMENT has no queues.${alias}: deploy the stack again.`, {
      failureClass: 'stop',
      code: 'bad_deployment_settings',
    });
  };
  for (const alias of usedAliases(config)) urlsOf(alias);
  return {
    client,
    dispatch: (alias, lane) => createSqsQueue({ client, queueUrl: urlsOf(alias)[lane] }),
    results: createSqsQueue({ client, queueUrl: settings.resultsQueueUrl }),
  };
}
