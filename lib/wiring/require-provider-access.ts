import { chooseAccess } from './create-providers.ts';
import type { LoadedConfig } from './load-config.ts';
import type { Environment } from './read-environment.ts';

/** Fails before anything is opened or written when a model of the sources lacks its key. */
export function requireProviderAccess({ config }: LoadedConfig, environment: Environment): void {
  for (const alias of config.sources.flatMap(source => source.models)) {
    const model = config.models[alias];
    if (model?.provider === 'openai') chooseAccess(model, environment);
  }
}
