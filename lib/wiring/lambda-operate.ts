import { createDetectionStore } from '../adapters/sql/detection-store.ts';
import { createEmbeddingStore } from '../adapters/sql/embedding-store.ts';
import { createRedriveStore } from '../adapters/sql/redrive-store.ts';
import { createReportStore } from '../adapters/sql/report-store.ts';
import { createResetStore } from '../adapters/sql/reset-store.ts';
import { findDeadLetterQueue } from '../adapters/sqs/dead-letters.ts';
import { createSqsQueue } from '../adapters/sqs/sqs-queue.ts';
import { listCaps } from '../core/budget.ts';
import type { DeploymentSettings } from '../core/config/deployment-settings.ts';
import type { OperatePorts } from '../pipeline/operate/operate-ports.ts';
import { badRequest } from '../pipeline/operate/requests.ts';
import type { DeadLetterSource } from '../ports/operator.ts';
import { readLambdaDependencies, type Wired, wireLambda } from './lambda.ts';
import { createLambdaQueues } from './lambda-clients.ts';
import { openWithDatabase } from './lambda-ports.ts';
import { quoteOnStage, quoteResetOnStage } from './stage-quotes.ts';

export async function wireOperate(dependencies = readLambdaDependencies()): Promise<Wired<OperatePorts>> {
  return wireLambda('operate', dependencies, () =>
    openWithDatabase('operate', dependencies, ports => {
      const { settings, config, database } = ports;
      const { client, dispatch, results } = createLambdaQueues(settings, config);
      const detection = createDetectionStore(database);
      return {
        ...ports,
        reports: createReportStore(database),
        resets: createResetStore(database),
        detection,
        caps: listCaps(config.budget),
        quoteSpace: space => quoteOnStage(ports, space),
        quoteReset: (space, plan) => quoteResetOnStage(ports, space, plan),
        redrive: {
          stale: createRedriveStore(database),
          detection,
          embedding: createEmbeddingStore(database),
          queues: dispatch,
          results,
          deadLetters: async source => {
            const { url } = await findDeadLetterQueue(client, urlOf(settings, source));
            return createSqsQueue({ client, queueUrl: url });
          },
          randomness: ports.randomness,
          limits: {
            batchSize: config.limits.batchSize,
            queuedLeaseSeconds: settings.embedVisibilitySeconds * settings.maxReceiveCount,
          },
        },
      };
    }),
  );
}

function urlOf(settings: DeploymentSettings, source: DeadLetterSource): string {
  if (source === 'results') return settings.resultsQueueUrl;
  if (Object.hasOwn(settings.queues, source.model)) return settings.queues[source.model]![source.lane];
  throw badRequest(`There is no such model; there are: ${Object.keys(settings.queues).join(', ')}.`);
}
