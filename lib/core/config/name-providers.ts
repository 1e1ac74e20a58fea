import { type PipelineConfig, usedAliases } from './pipeline-config.ts';

/**
 * Composes the value of the metrics' dimension `provider`.
 * There is one value per deployment, because each value costs money. It joins the providers of the
 * models that the sources name.
 */
export function nameProviders(config: PipelineConfig): string {
  const providers = usedAliases(config).map(alias => config.models[alias]!.provider);
  return [...new Set(providers)].sort().join('+');
}
