import type { PipelineConfig } from '../core/config/pipeline-config.ts';
import type { ModelDefinition } from '../core/model/space.ts';
import type { Clock } from '../ports/clock.ts';
import type { EmbeddingProvider } from '../ports/embedding-provider.ts';
import type { ProviderAccess } from './provider-access.ts';

/**
 * The providers of the models that the sources name.
 * @throws UsageError for an address or key that cannot be used, or when an endpoint that is not on this machine has no key.
 */
export async function createProviders(
  config: PipelineConfig,
  access: ProviderAccess,
  clock: Clock,
): Promise<ReadonlyMap<string, EmbeddingProvider>> {
  const providers = new Map<string, EmbeddingProvider>();
  for (const alias of new Set(config.sources.flatMap(source => source.models)))
    providers.set(alias, await createProvider(config.models[alias]!, access, clock));
  return providers;
}

async function createProvider(
  model: ModelDefinition,
  access: ProviderAccess,
  clock: Clock,
): Promise<EmbeddingProvider> {
  if (model.provider === 'hash') {
    const { createHashProvider } = await import('../adapters/hash/hash-provider.ts');
    return createHashProvider(model);
  }
  const key = access.keyOf(model);
  const { createOpenAiProvider } = await import('../adapters/openai/openai-provider.ts');
  const apiKey = (await key?.()) ?? '';
  return createOpenAiProvider(model, { apiKey, baseUrl: model.baseUrl ?? access.openAiBaseUrl }, clock);
}
