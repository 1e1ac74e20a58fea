import type { ModelDefinition } from '../model.ts';
import { knownModels } from './known-models.ts';
import { builtInModels } from './models.ts';
import { aliasesOf, type PipelineConfig } from './pipeline-config.ts';

/** A model as `freshet models` lists it. */
export interface ListedModel
  extends Pick<
    ModelDefinition,
    'alias' | 'modelId' | 'dimensions' | 'documentPrefix' | 'queryPrefix' | 'usdPerMillionTokens'
  > {
  /** Null: the weights are known, and the configuration gives them no place. */
  readonly provider: ModelDefinition['provider'] | null;
  /** Null: the revision is not known. */
  readonly revision: string | null;
  readonly maxTokensPerText: number | null;
  readonly origin: 'built in' | 'configured';
  /** Names of the sources that use the model. */
  readonly sources: readonly string[];
}

/**
 * Lists the models that a source can name.
 * The models of the configuration come first, then the built-in ones, then known weights without a
 * place.
 */
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
