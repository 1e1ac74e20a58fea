import type { Network } from '../adapters/network/open-network.ts';
import { type PipelineConfig, usedAliases } from '../core/config/pipeline-config.ts';
import type { ModelDefinition } from '../core/model/space.ts';
import type { Clock } from '../ports/clock.ts';
import type { EmbeddingProvider } from '../ports/embedding-provider.ts';
import type { ProviderAccess } from './provider-access.ts';

interface Parts {
  readonly access: ProviderAccess;
  readonly clock: Clock;
  /** The connections that all of them share. */
  readonly network: Network;
}

/**
 * The providers of the models that the sources name. Each one's client is loaded at its first call.
 * @throws UsageError for an address, key or endpoint that cannot be used.
 */
export async function createProviders(
  config: PipelineConfig,
  access: ProviderAccess,
  clock: Clock,
): Promise<ReadonlyMap<string, EmbeddingProvider>> {
  const { openNetwork } = await import('../adapters/network/open-network.ts');
  const parts = { access, clock, network: openNetwork() };
  const providers = new Map<string, EmbeddingProvider>();
  for (const alias of usedAliases(config))
    providers.set(alias, await createProvider(config.models[alias]!, parts));
  return providers;
}

const CREATORS: Readonly<
  Record<ModelDefinition['provider'], (model: ModelDefinition, parts: Parts) => Promise<EmbeddingProvider>>
> = {
  hash: async model => {
    const { createHashProvider } = await import('../adapters/hash/hash-provider.ts');
    return createHashProvider(model);
  },
  openai: async (model, { access, network, clock }) => {
    const { createOpenAiProvider } = await import('../adapters/openai/openai-provider.ts');
    const baseUrl = model.baseUrl ?? access.openAiBaseUrl;
    return createOpenAiProvider(model, { key: access.keyOf(model), baseUrl }, network, clock);
  },
  http: async (model, { access, network, clock }) => {
    const { createHttpProvider } = await import('../adapters/http/http-provider.ts');
    return createHttpProvider(model, { key: access.keyOf(model) }, network, clock);
  },
  ollama: async (model, { network, clock }) => {
    const { createOllamaProvider } = await import('../adapters/ollama/ollama-provider.ts');
    return createOllamaProvider(model, network, clock);
  },
  sagemaker: async (model, { access, clock }) => {
    const { createSageMakerProvider } = await import('../adapters/sagemaker/sagemaker-provider.ts');
    const { openInvoker } = await import('../adapters/sagemaker/open-invoker.ts');
    return createSageMakerProvider(model, openInvoker({ region: access.region }), clock);
  },
};

function createProvider(model: ModelDefinition, parts: Parts): Promise<EmbeddingProvider> {
  return CREATORS[model.provider](model, parts);
}
