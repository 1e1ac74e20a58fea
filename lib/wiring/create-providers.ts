import type { Network } from '../adapters/network/open-network.ts';
import { type PipelineConfig, usedAliases } from '../core/config/pipeline-config.ts';
import type { ModelDefinition } from '../core/model/space.ts';
import type { ProviderName } from '../core/providers.ts';
import type { Clock } from '../ports/clock.ts';
import type { EmbeddingProvider } from '../ports/embedding-provider.ts';
import type { ProviderAccess } from './provider-access.ts';

interface Parts {
  readonly access: ProviderAccess;
  readonly clock: Clock;
  /** The connections that all providers share. */
  readonly network: Network;
}

/**
 * Makes the providers of the models that the sources name, by alias.
 *
 * The client of a provider is loaded at its first call.
 *
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
  for (const alias of usedAliases(config)) {
    const model = config.models[alias]!;
    providers.set(alias, await CREATORS[model.provider](model, parts));
  }
  return providers;
}

/** Loads the adapter of each provider where a model needs it. */
const CREATORS: Readonly<
  Record<ProviderName, (model: ModelDefinition, parts: Parts) => Promise<EmbeddingProvider>>
> = {
  hash: async model => {
    const { createHashProvider } = await import('../adapters/providers/hash.ts');
    return createHashProvider(model);
  },
  openai: async (model, { access, network, clock }) => {
    const { createOpenAiProvider } = await import('../adapters/providers/openai.ts');
    const baseUrl = model.baseUrl ?? access.baseUrls?.openai;
    return createOpenAiProvider(model, { key: access.keyOf(model), baseUrl }, network, clock);
  },
  http: async (model, { access, network, clock }) => {
    const { createHttpProvider } = await import('../adapters/providers/http.ts');
    return createHttpProvider(model, { key: access.keyOf(model) }, network, clock);
  },
  ollama: async (model, { network, clock }) => {
    const { createOllamaProvider } = await import('../adapters/providers/ollama.ts');
    return createOllamaProvider(model, network, clock);
  },
  sagemaker: async (model, { access, clock }) => {
    const { createSageMakerProvider, openInvoker } = await import('../adapters/providers/sagemaker.ts');
    return createSageMakerProvider(model, openInvoker({ region: access.region }), clock);
  },
};
