import { aliasesOf, type PipelineConfig } from './pipeline-config.ts';

/** The metrics' dimension `provider`. One value per deployment, because each costs money: the providers of the models that the sources name. */
export function nameProviders(config: PipelineConfig): string {
  const aliases = [...new Set(config.sources.flatMap(aliasesOf))];
  return [...new Set(aliases.map(alias => config.models[alias]!.provider))].sort().join('+');
}
