import type { ModelDefinition, ProviderName } from '../model/space.ts';
import type { ParsedModel } from './config-schema.ts';
import { findKnownModel, type KnownModel } from './known-models.ts';

const OLLAMA_URL = 'http://127.0.0.1:11434';

/**
 * Resolves a model from its configuration, what is known of its weights, and defaults.
 * The configuration wins over the known facts, and these win over the defaults. What none of them
 * says is filled in, so that later checks can go on; `checkModel` names what is missing.
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

/**
 * Chooses the revision where the configuration names none.
 * Ollama's weights are conversions with digests of their own, and the revision of SageMaker's
 * weights has to be configured.
 */
function revisionAt(provider: ProviderName, known: KnownModel | undefined): string {
  const servesTheHubs = provider === 'openai' || provider === 'http';
  return (servesTheHubs ? known?.revision : undefined) ?? 'latest';
}

/**
 * Whether a call tells the provider the dimensions.
 * OpenAI's third generation is always told. Another server is told only where a shorter vector is
 * wanted, because not every server knows the parameter.
 */
function sendsDimensions(provider: ProviderName, dimensions: number, known: KnownModel | undefined): boolean {
  if (known?.shortestDimensions === undefined || !takesDimensions(provider)) return false;
  return known.provider === 'openai' || dimensions !== known.dimensions;
}

/**
 * Whether a call of the provider can carry `dimensions`.
 * `/v1/embed` has no such field, and `hash` makes the dimensions of its model.
 */
export function takesDimensions(provider: ProviderName): boolean {
  return provider !== 'http' && provider !== 'hash';
}
