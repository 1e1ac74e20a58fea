import { UsageError } from '../core/errors/usage-error.ts';
import type { ModelDefinition } from '../core/model/space.ts';
import { PROVIDERS } from '../core/providers.ts';
import type { KeySource } from '../ports/embedding-provider.ts';
import type { ProviderAccess } from './provider-access.ts';
import type { Environment } from './read-environment.ts';

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
      const given = providerKeys[model.provider];
      const address = model.baseUrl ?? providerUrls[model.provider] ?? url ?? '';
      if (given === undefined && key.isNeeded) requireLocalServer(model, address, key.variable);
      return keep(given, key.variable);
    },
  };
}

function keep(key: string | undefined, variable: string): KeySource | undefined {
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
