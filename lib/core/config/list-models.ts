import type { ModelDefinition } from '../model/space.ts';
import { builtInModels } from './built-in-models.ts';
import { knownModels } from './known-models.ts';
import { aliasesOf, type PipelineConfig } from './pipeline-config.ts';

export interface ListedModel
  extends Pick<
    ModelDefinition,
    'alias' | 'modelId' | 'dimensions' | 'documentPrefix' | 'queryPrefix' | 'usdPerMillionTokens'
  > {
  /** Null: weights that are known and that the configuration puts nowhere. */
  readonly provider: ModelDefinition['provider'] | null;
  /** Null: nobody says. */
  readonly revision: string | null;
  readonly maxTokensPerText: number | null;
  readonly origin: 'built in' | 'configured';
  /** Names of the sources that use it. */
  readonly sources: readonly string[];
}

/** What a source can name: the models of the configuration first, then the built-in ones, then known weights that have no place yet. */
export function listModels({ models, sources }: PipelineConfig): ListedModel[] {
  const placed = Object.values(models).map((model): ListedModel => {
    const { alias, provider, modelId, revision, dimensions, maxTokensPerText } = model;
    const { documentPrefix, queryPrefix, usdPerMillionTokens } = model;
    return {
      ...{ alias, provider, modelId, revision, dimensions, documentPrefix, queryPrefix, usdPerMillionTokens },
      maxTokensPerText: maxTokensPerText ?? null,
      origin: model === builtInModels[alias] ? 'built in' : 'configured',
      sources: sources.filter(source => aliasesOf(source).includes(alias)).map(({ name }) => name),
    };
  });
  const unplaced = knownModels
    .filter(({ name }) => !Object.hasOwn(models, name))
    .map((known): ListedModel => {
      const { name: alias, dimensions, maxTokensPerText, documentPrefix, queryPrefix } = known;
      return {
        ...{
          alias,
          dimensions,
          maxTokensPerText,
          documentPrefix,
          queryPrefix,
          provider: null,
          revision: known.revision ?? null,
        },
        ...{ modelId: known.fullName, usdPerMillionTokens: 0, origin: 'built in', sources: [] },
      };
    });
  const configured = placed.filter(({ origin }) => origin === 'configured');
  return [...configured, ...placed.filter(({ origin }) => origin === 'built in'), ...unplaced];
}
