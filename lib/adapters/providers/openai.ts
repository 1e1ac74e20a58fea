import type { ModelDefinition } from '../../core/model.ts';
import { PROVIDERS } from '../../core/providers.ts';
import type { Clock } from '../../ports/process.ts';
import type { EmbeddingLimits, EmbeddingProvider, EmbedReply, KeySource } from '../../ports/provider.ts';
import { checkBaseUrl } from '../network/addresses.ts';
import type { Network } from '../network/open-network.ts';
import {
  chooseLimits,
  createJsonProvider,
  encodeFloats,
  readModelName,
  readTokens,
} from './json-provider.ts';
import { createOpenAiSender } from './openai-client.ts';
import { decodeBase64, type TakenVectors } from './openai-vectors.ts';

/**
 * What one call takes: OpenAI takes 2,048 texts and 300,000 tokens.
 * Our counts of tokens can differ from OpenAI's own, and its replies must fit into memory.
 */
const LIMITS: EmbeddingLimits = {
  maxTextsPerCall: 2048,
  maxTokensPerCall: 280_000,
  maxBytesPerCall: 8 * 1024 * 1024,
  tokenization: 'local',
};

interface OpenAiAccess {
  /** Undefined, or a source of an empty key: no `authorization` is sent. */
  readonly key: KeySource | undefined;
  readonly baseUrl?: string | undefined;
}

/**
 * Makes the provider of any endpoint that speaks OpenAI's embeddings API.
 * The package `openai` is loaded at the first call, so that a run without it never pays for it.
 * @throws UsageError for an address that cannot be used
 */
export function createOpenAiProvider(
  model: ModelDefinition,
  access: OpenAiAccess,
  network: Network,
  clock: Clock,
): EmbeddingProvider {
  const baseUrl = checkBaseUrl(access.baseUrl ?? model.baseUrl ?? PROVIDERS.openai.url ?? '');
  return createJsonProvider(
    model,
    {
      dialect: 'openai',
      limits: chooseLimits(LIMITS, model),
      key: access.key,
      composeBody: texts => ({
        model: model.modelId,
        input: texts,
        encoding_format: 'base64',
        ...(model.sendDimensions ? { dimensions: model.dimensions } : {}),
      }),
      send: createOpenAiSender(baseUrl, network),
      readReply: (json, { vectors }) => readEmbeddings(json, vectors),
    },
    clock,
  );
}

/**
 * Reads the parts of a reply that are used, as float32 little-endian bytes.
 * @param taken vectors that were decoded before the reply was parsed, by what stands in their place
 * @returns undefined for anything but a list of numbered embeddings
 */
function readEmbeddings(
  body: Readonly<Record<string, unknown>>,
  taken: TakenVectors['vectors'],
): Omit<EmbedReply, 'requestId'> | undefined {
  const { data, usage, model } = body;
  if (!Array.isArray(data)) return undefined;
  const items: { index: number; bytes: Buffer }[] = [];
  for (const item of data as readonly unknown[]) {
    const { index, embedding } = Object(item) as Record<string, unknown>;
    if (typeof index !== 'number') return undefined;
    items.push({ index, bytes: readVector(embedding, taken) });
  }
  const { prompt_tokens, total_tokens } = Object(usage) as Record<string, unknown>;
  return { items, tokens: readTokens(prompt_tokens ?? total_tokens), model: readModelName(model) };
}

/**
 * Reads one vector. Servers may answer floats although base64 was asked.
 * A vector that cannot be read is empty: validation refuses it alone, and not its neighbours.
 */
function readVector(embedding: unknown, taken: TakenVectors['vectors']): Buffer {
  if (typeof embedding !== 'string') return encodeFloats([embedding])[0]!.bytes;
  return taken.get(embedding) ?? decodeAlone(embedding);
}

function decodeAlone(encoded: string): Buffer {
  return decodeBase64(encoded, Buffer.allocUnsafe(Math.ceil((encoded.length * 3) / 4)));
}
