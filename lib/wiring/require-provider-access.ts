import { createSystemClock } from '../adapters/system/system-clock.ts';
import { createLocalAccess } from './create-local-access.ts';
import { createProviders } from './create-providers.ts';
import type { LoadedConfig } from './load-config.ts';
import type { Environment } from './read-environment.ts';

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
