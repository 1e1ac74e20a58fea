import { PROVIDER_NAMES, PROVIDERS, type ProviderName } from '../core/providers.ts';

export interface Environment {
  readonly databaseUrl: string | undefined;
  /** The bearer tokens of models, by provider. */
  readonly providerKeys: Readonly<Partial<Record<ProviderName, string>>>;
  /** The addresses of models that name none, by provider. */
  readonly providerUrls: Readonly<Partial<Record<ProviderName, string>>>;
}

/** Reads the variables that Freshet reads, all of them. An empty variable counts as not set. */
export function readEnvironment(
  variables: Readonly<Record<string, string | undefined>> = process.env,
): Environment {
  const read = (name: string | undefined) =>
    name === undefined ? undefined : variables[name]?.trim() || undefined;
  const readEach = (nameOf: (provider: ProviderName) => string | undefined) =>
    Object.fromEntries(
      PROVIDER_NAMES.flatMap(provider => {
        const value = read(nameOf(provider));
        return value === undefined ? [] : [[provider, value]];
      }),
    );
  return {
    databaseUrl: read('DATABASE_URL'),
    providerKeys: readEach(provider => PROVIDERS[provider].key?.variable),
    providerUrls: readEach(provider => PROVIDERS[provider].urlVariable),
  };
}
