import type { FreshetConfig } from './config-schema.ts';

/** Gives `freshet.config.ts` its types. Nothing is checked here: `parseConfig` does when the file is loaded. */
export function defineConfig(config: FreshetConfig): FreshetConfig {
  return config;
}
