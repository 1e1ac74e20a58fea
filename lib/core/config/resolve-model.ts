import type { ModelDefinition, ProviderName } from '../model/space.ts';
import type { ParsedModel } from './config-schema.ts';
import { findKnownModel, type KnownModel } from './known-models.ts';

const OLLAMA_URL = 'http://127.0.0.1:11434';

/**
 * What the configuration says of a model over what is known of its weights, over defaults. What neither says is filled in so that checks can
 * go on: `checkModel` names it.
 */
export function resolveModel(alias: string, settings: ParsedModel): ModelDefinition {
  const known = findKnownModel(settings.modelId ?? alias);
  const provider = settings.provider ?? known?.provider ?? 'openai';
  const given = Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== undefined));
  const dimensions = settings.dimensions ?? known?.dimensions ?? 1;
  return {
    modelId: nameAt(provider, alias, known),
    revision: revisionAt(provider, known),
    ...(known && { maxTokensPerText: known.maxTokensPerText }),
    documentPrefix: known?.documentPrefix ?? '',
    queryPrefix: known?.queryPrefix ?? '',
    normalized: provider !== 'openai' || known?.normalized !== false,
    usdPerMillionTokens: known?.usdPerMillionTokens ?? 0,
    ...(provider === 'ollama' && { baseUrl: OLLAMA_URL }),
    sendDimensions: sendsDimensions(provider, dimensions, known),
    ...given,
    provider,
    dimensions,
    alias,
  };
}

function nameAt(provider: ProviderName, alias: string, known: KnownModel | undefined): string {
  if (known === undefined) return alias;
  return provider === 'ollama' ? (known.ollamaName ?? known.fullName) : known.fullName;
}

/** Ollama's weights are conversions with digests of their own; what SageMaker serves has to be said. */
function revisionAt(provider: ProviderName, known: KnownModel | undefined): string {
  const servesTheHubs = provider === 'openai' || provider === 'http';
  return (servesTheHubs ? known?.revision : undefined) ?? 'latest';
}

/** OpenAI's third generation is always told; another server only where a shorter vector is wanted, as not every one knows the parameter. */
function sendsDimensions(provider: ProviderName, dimensions: number, known: KnownModel | undefined): boolean {
  if (known?.shortestDimensions === undefined || !takesDimensions(provider)) return false;
  return known.provider === 'openai' || dimensions !== known.dimensions;
}

/** `/v1/embed` has no such field, and `hash` makes what it is told. */
export function takesDimensions(provider: ProviderName): boolean {
  return provider !== 'http' && provider !== 'hash';
}
