import type { ModelDefinition } from '../model/space.ts';
import type { ParsedModel } from './config-schema.ts';
import { knownModels } from './known-models.ts';
import { resolveModel } from './resolve-model.ts';

/**
 * Aliases that stand for a model and the place where it is served.
 * The model names of `knownModels` are aliases too.
 */
export const builtInAliases: Readonly<Record<string, ParsedModel>> = {
  hash: { provider: 'hash', modelId: 'feature-hashing', revision: '1', dimensions: 384 },
  openai: { provider: 'openai', modelId: 'text-embedding-3-small' },
  ollama: { provider: 'ollama', modelId: 'nomic-embed-text' },
};

/** Models that need no entry under `models`, because their place is known without one. */
export const builtInModels: Readonly<Record<string, ModelDefinition>> = Object.fromEntries([
  ...Object.entries(builtInAliases).map(([alias, settings]) => [alias, resolveModel(alias, settings)]),
  ...knownModels
    .filter(({ provider }) => provider !== undefined)
    .map(({ name }) => [name, resolveModel(name, {})]),
]);
