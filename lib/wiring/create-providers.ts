import { aliasesOf, type PipelineConfig } from '../core/config/pipeline-config.ts';
import { UsageError } from '../core/errors/usage-error.ts';
import type { ModelDefinition } from '../core/model/space.ts';
import type { Clock } from '../ports/clock.ts';
import type { EmbeddingProvider } from '../ports/embedding-provider.ts';
import type { Environment } from './read-environment.ts';

const OPENAI_URL = 'https://api.openai.com/v1';

/**
 * The providers of the models that the sources name. A model's own `baseUrl` wins over `OPENAI_BASE_URL`.
 * @throws UsageError for an address or key that cannot be used, or when an endpoint that is not on this machine has no key.
 */
export async function createProviders(
  config: PipelineConfig,
  environment: Environment,
  clock: Clock,
): Promise<ReadonlyMap<string, EmbeddingProvider>> {
  const providers = new Map<string, EmbeddingProvider>();
  for (const alias of new Set(config.sources.flatMap(aliasesOf)))
    providers.set(alias, await createProvider(config.models[alias]!, environment, clock));
  return providers;
}

async function createProvider(
  model: ModelDefinition,
  environment: Environment,
  clock: Clock,
): Promise<EmbeddingProvider> {
  if (model.provider === 'hash') {
    const { createHashProvider } = await import('../adapters/hash/hash-provider.ts');
    return createHashProvider(model);
  }
  const access = chooseAccess(model, environment);
  const { createOpenAiProvider } = await import('../adapters/openai/openai-provider.ts');
  return createOpenAiProvider(model, access, clock);
}

/** A server on this machine needs no key: none is sent then. */
export function chooseAccess(
  model: ModelDefinition,
  environment: Environment,
): { apiKey: string; baseUrl: string } {
  const baseUrl = model.baseUrl ?? environment.openAiBaseUrl ?? OPENAI_URL;
  const apiKey = environment.openAiApiKey ?? '';
  const url = URL.parse(baseUrl);
  if (apiKey !== '' || url === null || isLoopback(url.hostname)) return { apiKey, baseUrl };
  throw new UsageError(
    `The model ${model.alias} is served by ${url.host}, and OPENAI_API_KEY is not set.`,
    "export OPENAI_API_KEY=… (any word where the server asks for none), or try the pipeline with model: 'hash'",
  );
}

function isLoopback(host: string): boolean {
  return (
    host === 'localhost' ||
    host.endsWith('.localhost') ||
    host === '[::1]' ||
    /^127\.\d+\.\d+\.\d+$/.test(host)
  );
}
