import type { FreshetConfig } from './config-schema.ts';

export type { FreshetConfig };

/**
 * Gives `freshet.config.ts` its types.
 * Nothing is checked here: `parseConfig` checks the configuration when the file is loaded.
 */
export function defineConfig(config: FreshetConfig): FreshetConfig {
  return config;
}
