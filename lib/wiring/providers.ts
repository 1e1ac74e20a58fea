import { checkBaseUrl } from '../adapters/network/addresses.ts';
import type { Network } from '../adapters/network/open-network.ts';
import { createSystemClock } from '../adapters/system.ts';
import { type PipelineConfig, usedAliases } from '../core/config/pipeline-config.ts';
import { UsageError } from '../core/errors.ts';
import type { ModelDefinition } from '../core/model.ts';
import { PROVIDERS, type ProviderName } from '../core/providers.ts';
import type { Clock } from '../ports/process.ts';
import type { EmbeddingProvider, KeySource } from '../ports/provider.ts';
import type { Environment, LoadedConfig } from './workspace.ts';

/** What all providers of a process are made with. */
interface ProviderDependencies {
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
  const dependencies = { access, clock, network: openNetwork() };
  const providers = new Map<string, EmbeddingProvider>();
  for (const alias of usedAliases(config)) {
    const model = config.models[alias]!;
    providers.set(alias, await CREATORS[model.provider](model, dependencies));
  }
  return providers;
}

/** Loads the adapter of each provider where a model needs it. */
const CREATORS: Readonly<
  Record<
    ProviderName,
    (model: ModelDefinition, dependencies: ProviderDependencies) => Promise<EmbeddingProvider>
  >
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

/**
 * Reads keys from the environment, each for the provider that it is for.
 *
 * A model's own `baseUrl` wins over the variable; a server on this machine needs no key. `keyOf`
 * throws `UsageError` for a key that no header can carry, and where a server elsewhere needs a key
 * and there is none.
 */
export function createLocalAccess({ providerKeys, providerUrls }: Environment): ProviderAccess {
  return {
    baseUrls: providerUrls,
    keyOf: model => {
      const { key, url } = PROVIDERS[model.provider];
      if (key === undefined) return undefined;
      const value = providerKeys[model.provider];
      const address = model.baseUrl ?? providerUrls[model.provider] ?? url ?? '';
      if (value === undefined && key.isNeeded) requireLocalServer(model, address, key.variable);
      return createKeySource(value, key.variable);
    },
  };
}

function createKeySource(key: string | undefined, variable: string): KeySource | undefined {
  if (key === undefined) return undefined;
  if (/^[\x21-\x7e]*$/.test(key)) return async () => key;
  throw new UsageError(
    `The key holds a space, a line break or another character that no key has (${variable}).`,
  );
}

function requireLocalServer(model: ModelDefinition, baseUrl: string, variable: string): void {
  const url = URL.parse(baseUrl);
  if (url === null || isLoopback(url.hostname)) return;
  throw new UsageError(
    `The model ${model.alias} is served by ${url.host}, and ${variable} is not set.`,
    `export ${variable}=… (any word where the server asks for none), or try the pipeline with model: 'hash'`,
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

/** What the definition of a model does not hold: keys, and where this process runs. */
interface ProviderAccess {
  /**
   * Undefined: no key is sent.
   *
   * @throws UsageError where the model cannot do without a key
   */
  readonly keyOf: (model: ModelDefinition) => KeySource | undefined;
  /** Addresses for models that name no `baseUrl`; undefined: those of the table of providers. */
  readonly baseUrls?: Readonly<Partial<Record<ProviderName, string>>>;
  /** Region of SageMaker endpoints; undefined: what the AWS SDK finds. */
  readonly region?: string | undefined;
}

/**
 * Fails where a model of the sources has no usable address or key.
 *
 * The check comes before anything is opened or written.
 *
 * @throws UsageError
 */
export async function requireProviderAccess(
  { config }: LoadedConfig,
  environment: Environment,
): Promise<void> {
  await createProviders(config, createLocalAccess(environment), createSystemClock());
}

/**
 * Checks an address given at the keyboard as strictly as a model's: a token goes there.
 *
 * @throws UsageError
 */
export function checkServiceUrl(url: string): string {
  return checkBaseUrl(url);
}
