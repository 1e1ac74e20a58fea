import type { SqlDatabase } from '../adapters/sql/database.ts';
import { createSqsClient, createSqsQueue } from '../adapters/sqs/sqs-queue.ts';
import type { DeploymentSettings } from '../core/config/deployment-settings.ts';
import { type PipelineConfig, usedAliases } from '../core/config/pipeline-config.ts';
import type { BatchLane } from '../ports/batches.ts';
import type { Clock } from '../ports/process.ts';
import type { EmbeddingProvider, SecretStore } from '../ports/provider.ts';
import type { DispatchQueues, MessageQueue } from '../ports/queues.ts';
import { missingSetting } from './lambda.ts';
import { createBatchProviders, createProviders } from './providers.ts';
import { createSecretAccess } from './secret-access.ts';

/** Makes a deployment's providers, with keys and headers from Secrets Manager. */
export async function createLambdaProviders(
  settings: DeploymentSettings,
  config: PipelineConfig,
  secrets: SecretStore,
  clock: Clock,
): Promise<(modelAlias: string) => EmbeddingProvider> {
  const access = { region: settings.region, ...createSecretAccess(settings, secrets) };
  const providers = await createProviders(config, access, clock);
  return alias => providers.get(alias)!;
}

/**
 * Opens the batch lane; undefined where no model is bought by batch.
 * Most deployments have none, and do not load it.
 * @throws UsageError for an address that cannot be used.
 */
export async function openLambdaBatches(
  settings: DeploymentSettings,
  config: PipelineConfig,
  secrets: SecretStore,
  clock: Clock,
  database: SqlDatabase,
): Promise<BatchLane | undefined> {
  const providers = await createBatchProviders(config, createSecretAccess(settings, secrets), clock);
  if (providers.size === 0) return undefined;
  const { createBatchStore } = await import('../adapters/sql/batch-store.ts');
  return { store: createBatchStore(database), providers: alias => providers.get(alias) };
}

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
    throw missingSetting(`has no queues.${alias}`);
  };
  for (const alias of usedAliases(config)) urlsOf(alias);
  return {
    client,
    dispatch: (alias, lane) => createSqsQueue({ client, queueUrl: urlsOf(alias)[lane] }),
    results: createSqsQueue({ client, queueUrl: settings.resultsQueueUrl }),
  };
}
