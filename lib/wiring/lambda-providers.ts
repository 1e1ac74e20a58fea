import type { DeploymentSettings } from '../core/config/deployment-settings.ts';
import type { PipelineConfig } from '../core/config/pipeline-config.ts';
import { FreshetError } from '../core/errors/freshet-error.ts';
import type { Clock } from '../ports/clock.ts';
import type { EmbeddingProvider, KeySource } from '../ports/embedding-provider.ts';
import type { SecretStore } from '../ports/secret-store.ts';
import { createProviders } from './create-providers.ts';

/** Makes a deployment's providers, with keys from Secrets Manager: a whole secret is a key. */
export async function createLambdaProviders(
  settings: DeploymentSettings,
  config: PipelineConfig,
  secrets: SecretStore,
  clock: Clock,
): Promise<(modelAlias: string) => EmbeddingProvider> {
  const access = {
    region: settings.region,
    keyOf: ({ alias }: { readonly alias: string }) => findKeySource(settings, secrets, alias),
  };
  const providers = await createProviders(config, access, clock);
  return alias => providers.get(alias)!;
}

/** Undefined where the deployment names no secret for the model: then no key is sent. */
export function findKeySource(
  { keySecrets }: DeploymentSettings,
  secrets: SecretStore,
  alias: string,
): KeySource | undefined {
  if (!Object.hasOwn(keySecrets, alias)) return undefined;
  const secretArn = keySecrets[alias]!;
  return async options => checkKey(alias, await secrets.read(secretArn, options));
}

/** Trims a secret, because a file that was stored as one ends in a line break. */
function checkKey(alias: string, secret: string): string {
  const key = secret.trim();
  if (/^[\x21-\x7e]+$/.test(key)) return key;
  throw new FreshetError(
    `The secret of model ${alias} is no key: it holds spaces, line breaks or other characters that no key has. Store the key alone, as text.`,
    { failureClass: 'stop', code: 'bad_key_secret' },
  );
}
