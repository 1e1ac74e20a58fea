import { type PipelineConfig, usedAliases } from './pipeline-config.ts';

/** The metrics' dimension `provider`. One value per deployment, because each costs money: the providers of the models that the sources name. */
export function nameProviders(config: PipelineConfig): string {
  const providers = usedAliases(config).map(alias => config.models[alias]!.provider);
  return [...new Set(providers)].sort().join('+');
}
