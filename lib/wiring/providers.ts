import { checkBaseUrl, UnusableAddress } from '../adapters/network/addresses.ts';
import type { Network } from '../adapters/network/open-network.ts';
import { readProxies } from '../adapters/network/proxies.ts';
import { createSystemClock } from '../adapters/system.ts';
import { batchTermsOf } from '../core/batches.ts';
import { formatPath } from '../core/config/describe-issues.ts';
import { type PipelineConfig, usedAliases } from '../core/config/pipeline-config.ts';
import { UsageError } from '../core/errors.ts';
import type { ModelDefinition } from '../core/model.ts';
import { isLoopbackHost, PROVIDERS, type ProviderName } from '../core/providers.ts';
import type { BatchProvider } from '../ports/batches.ts';
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
  const { addHeaders, openNetwork } = await import('../adapters/network/open-network.ts');
  const models = usedAliases(config).map(alias => config.models[alias]!);
  const network = openNetwork(undefined, readProxies(process.env, listUrls(models, access)));
  const providers = new Map<string, EmbeddingProvider>();
  for (const model of models) {
    const headers = access.headersOf?.(model) ?? {};
    const dependencies = { access, clock, network: addHeaders(network, headers) };
    const made = CREATORS[model.provider](model, dependencies).catch(nameAddressOf(model, access));
    providers.set(model.alias, await made);
  }
  return providers;
}

/** Says whose address cannot be used, and where it stands: a variable is found in no file. */
function nameAddressOf({ alias, ...model }: ModelDefinition, { variableOf }: ProviderAccess) {
  return (error: unknown): never => {
    if (!(error instanceof UnusableAddress)) throw error;
    const variable = variableOf?.(model);
    const place = variable === undefined ? formatPath(['models', alias, 'baseUrl']) : `variable ${variable}`;
    throw new UsageError(
      `Model "${alias}", ${place}: ${error.message}`,
      variable === undefined ? undefined : `export ${variable}=https://…, or unset ${variable}`,
    );
  };
}

/**
 * Makes the batch services of the models that are bought by batch, by alias.
 *
 * A service is loaded at its first request.
 *
 * @throws UsageError for an address or key that cannot be used.
 */
export async function createBatchProviders(
  config: PipelineConfig,
  access: ProviderAccess,
  clock: Clock,
): Promise<ReadonlyMap<string, BatchProvider>> {
  const models = usedAliases(config)
    .map(alias => config.models[alias]!)
    .filter(model => batchTermsOf(model) !== undefined);
  if (models.length === 0) return new Map();
  const { addHeaders, openNetwork } = await import('../adapters/network/open-network.ts');
  const { createOpenAiBatches } = await import('../adapters/providers/openai-batches.ts');
  const network = openNetwork(undefined, readProxies(process.env, listUrls(models, access)));
  return new Map(
    models.map(model => {
      const own = addHeaders(network, access.headersOf?.(model) ?? {});
      const baseUrl = model.baseUrl ?? access.baseUrls?.openai;
      return [model.alias, createOpenAiBatches(model, { key: access.keyOf(model), baseUrl }, own, clock)];
    }),
  );
}

/** Lists where the calls of these models go to. */
function listUrls(models: readonly ModelDefinition[], { baseUrls }: ProviderAccess): string[] {
  return models
    .filter(({ provider }) => !PROVIDERS[provider].isInProcess)
    .map(({ provider, baseUrl }) => baseUrl ?? baseUrls?.[provider] ?? PROVIDERS[provider].url ?? '');
}

/** Loads the adapter of each provider where a model needs it. */
const CREATORS: Readonly<
  Record<
    ProviderName,
    (model: ModelDefinition, dependencies: ProviderDependencies) => Promise<EmbeddingProvider>
  >
> = {
  static: async model => {
    const { createStaticProvider } = await import('../adapters/providers/static.ts');
    return createStaticProvider(model);
  },
  local: async (model, { access, clock }) => {
    const { openLocalProvider } = await import('../adapters/providers/local.ts');
    const { findCacheFolder } = await import('../adapters/local/model-files.ts');
    const hubUrl = checkBaseUrl(access.baseUrls?.local ?? PROVIDERS.local.url!);
    const cacheFolder = findCacheFolder(process.env);
    return openLocalProvider(model, { hubUrl, cacheFolder, directory: process.cwd() }, clock);
  },
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
export function createLocalAccess({
  providerKeys,
  providerUrls,
  variables = {},
}: Environment): ProviderAccess {
  return {
    baseUrls: providerUrls,
    variableOf: ({ provider, baseUrl }) => {
      const variable = baseUrl === undefined ? PROVIDERS[provider].urlVariable : 'MIS_URL';
      const given = variables[variable ?? '']?.trim() || undefined;
      return given !== undefined && (baseUrl ?? given) === given ? variable : undefined;
    },
    keyOf: model => {
      const { key, url } = PROVIDERS[model.provider];
      // A model that names the header of its key brings the key, whatever the environment holds.
      if (key === undefined || model.headers?.['api-key'] !== undefined) return undefined;
      const value = providerKeys[model.provider];
      const address = model.baseUrl ?? providerUrls[model.provider] ?? url ?? '';
      const isKeyNeeded = key.isNeeded && model.headers === undefined && !model.allowHttp;
      if (value === undefined && isKeyNeeded) requireLocalServer(model, address, key.variable);
      return createKeySource(value, key.variable);
    },
    headersOf: ({ alias, headers = {} }) =>
      Object.fromEntries(
        Object.entries(headers).map(([name, { env }]) => [
          name,
          readHeader(alias, name, env, variables[env]),
        ]),
      ),
  };
}

function readHeader(alias: string, name: string, variable: string, given: string | undefined): string {
  const value = given?.trim() ?? '';
  if (/^[\x20-\x7e]+$/.test(value)) return value;
  throw new UsageError(
    value === ''
      ? `The model ${alias} sends the header ${name} from ${variable}, which is not set.`
      : `The model ${alias} sends the header ${name} from ${variable}, which holds a line break or another ` +
          'character that no header can carry.',
    `export ${variable}=…`,
  );
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
  if (url === null || isLoopbackHost(url.hostname)) return;
  throw new UsageError(
    `The model ${model.alias} is served by ${url.host}, and ${variable} is not set.`,
    `export ${variable}=… (any word where the server asks for none), or try the pipeline with model: 'hash'`,
  );
}

/** Reads the headers of a model, whose values may have been rotated since the last call. */
export type HeaderSource = () => Promise<Readonly<Record<string, string>>>;

/** What the definition of a model does not hold: keys, and where this process runs. */
interface ProviderAccess {
  /**
   * Undefined: no key is sent.
   *
   * @throws UsageError where the model cannot do without a key
   */
  readonly keyOf: (model: ModelDefinition) => KeySource | undefined;
  /**
   * The headers that a model adds to its requests, or how they are read at each. Undefined: none.
   *
   * @throws UsageError where a header's variable is not set
   */
  readonly headersOf?: (
    model: ModelDefinition,
  ) => Readonly<Record<string, string>> | HeaderSource | undefined;
  /** Addresses for models that name no `baseUrl`; undefined: those of the table of providers. */
  readonly baseUrls?: Readonly<Partial<Record<ProviderName, string>>>;
  /** The variable that a model's address stands in. Undefined: in the configuration. */
  readonly variableOf?: (model: Pick<ModelDefinition, 'provider' | 'baseUrl'>) => string | undefined;
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
