import { UsageError } from '../../core/errors.ts';
import { type ModelDefinition, modelForRole } from '../../core/model.ts';
import { sha256Hex } from '../../core/text.ts';
import type { Clock } from '../../ports/process.ts';
import type { EmbeddingLimits, EmbeddingProvider, EmbedReply, KeySource } from '../../ports/provider.ts';
import { checkBaseUrl } from '../network/addresses.ts';
import type { Network } from '../network/open-network.ts';
import { postJson } from '../network/post-json.ts';
import { encodeFloats } from './float-lists.ts';
import { chooseLimits, createJsonProvider, readModelName, readTokens } from './json-provider.ts';

/** What every server takes, by the contract `docs/contracts/embed-v1.yaml`. */
const DEFAULT_LIMITS: EmbeddingLimits = {
  maxTextsPerCall: 100,
  maxTokensPerCall: 280_000,
  maxBytesPerCall: 2_000_000,
  tokenization: 'server',
};
/** For servers that take more, as the limits of their model say. */
const MAX_LIMITS: EmbeddingLimits = {
  ...DEFAULT_LIMITS,
  maxTextsPerCall: 2048,
  maxBytesPerCall: 8 * 1024 * 1024,
};

/**
 * Makes the provider of a service that speaks `POST /v1/embed`.
 * @throws UsageError for an address that is missing or cannot be used
 */
export function createHttpProvider(
  model: ModelDefinition,
  access: { readonly key: KeySource | undefined },
  network: Network,
  clock: Clock,
): EmbeddingProvider {
  if (model.baseUrl === undefined) {
    throw new UsageError(
      `The model ${model.alias} has no baseUrl: provider "http" calls POST <baseUrl>/v1/embed.`,
    );
  }
  const url = `${checkBaseUrl(model.baseUrl, model)}/v1/embed`;
  return createJsonProvider(
    model,
    {
      dialect: 'http',
      limits: chooseLimits(MAX_LIMITS, model, DEFAULT_LIMITS),
      key: access.key,
      composeBody: (texts, role) => composeBody(modelForRole(model, role), texts),
      send: request => postJson(network, url, request),
      readReply,
    },
    clock,
  );
}

function composeBody(model: ModelDefinition, texts: readonly string[]): object {
  const body = { ...model.extraBody, model: model.modelId, texts, normalize: model.normalized };
  if (!model.sendTextHashes) return body;
  return { ...body, vector_text_hash: texts.map(sha256Hex) };
}

function readReply({
  dim,
  vectors,
  model,
  tokens,
}: Readonly<Record<string, unknown>>): Omit<EmbedReply, 'requestId'> | undefined {
  if (!Array.isArray(vectors) || typeof dim !== 'number') return undefined;
  const items = encodeFloats(vectors);
  // No part of a reply can be believed that contradicts its own `dim` in every vector.
  const vectorBytes = items.map(({ bytes }) => bytes.length).filter(length => length > 0);
  if (vectorBytes.length > 0 && vectorBytes.every(length => length !== dim * 4)) return undefined;
  return { items, tokens: readTokens(tokens), model: readModelName(model) };
}
