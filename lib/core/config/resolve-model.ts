import type { ModelDefinition } from '../model/space.ts';
import { ASSUMED_PROVIDER, PROVIDERS, type ProviderName } from '../providers.ts';
import type { ParsedModel } from './config-schema.ts';
import { findKnownModel, type KnownModel } from './known-models.ts';

/**
 * Resolves a model: its settings over what is known of its weights, over defaults.
 *
 * What nothing says is filled in so that checks can go on: `checkModel` names it.
 */
export function resolveModel(alias: string, settings: ParsedModel): ModelDefinition {
  const known = findKnownModel(settings.modelId ?? alias);
  const name = settings.provider ?? known?.provider ?? ASSUMED_PROVIDER;
  const provider = PROVIDERS[name];
  const given = Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== undefined));
  const dimensions = settings.dimensions ?? known?.dimensions ?? 1;
  return {
    modelId: known?.[provider.modelName] ?? known?.fullName ?? alias,
    revision: (provider.servesHubRevisions ? known?.revision : undefined) ?? 'latest',
    ...(known && { maxTokensPerText: known.maxTokensPerText }),
    documentPrefix: known?.documentPrefix ?? '',
    queryPrefix: known?.queryPrefix ?? '',
    normalized: provider.normalizes || known?.normalized !== false,
    usdPerMillionTokens: known?.usdPerMillionTokens ?? 0,
    // A variable can replace the address of the others, so their models hold none.
    ...(provider.urlVariable === undefined && provider.url !== undefined && { baseUrl: provider.url }),
    sendDimensions: sendsDimensions(name, dimensions, known),
    ...given,
    provider: name,
    dimensions,
    alias,
  };
}

/**
 * Whether calls ask for the dimensions of a model.
 *
 * Weights of one provider alone are always asked: OpenAI's third generation knows the parameter.
 * Other servers are asked only for a shorter vector, because not every one knows it.
 */
function sendsDimensions(provider: ProviderName, dimensions: number, known: KnownModel | undefined): boolean {
  if (known?.shortestDimensions === undefined || !PROVIDERS[provider].takesDimensions) return false;
  return known.provider !== undefined || dimensions !== known.dimensions;
}
