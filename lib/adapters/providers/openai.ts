import { type ModelDefinition, modelForRole } from '../../core/model.ts';
import { PROVIDERS } from '../../core/providers.ts';
import type { Clock } from '../../ports/process.ts';
import type { EmbeddingLimits, EmbeddingProvider, EmbedReply, KeySource } from '../../ports/provider.ts';
import { checkVersionedUrl } from '../network/addresses.ts';
import type { Network } from '../network/open-network.ts';
import { encodeVector, rejectTokenVectors } from './float-lists.ts';
import { chooseLimits, createJsonProvider, readModelName, readTokens } from './json-provider.ts';
import { createOpenAiSender } from './openai-client.ts';
import { createEncoding } from './openai-encoding.ts';
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

export interface OpenAiAccess {
  /** Undefined, or a source of an empty key: no `authorization` is sent. */
  readonly key: KeySource | undefined;
  readonly baseUrl?: string | undefined;
}

/**
 * Makes the provider of any endpoint that speaks OpenAI's embeddings API.
 * An address with `api-version` is Azure's: its key goes in the header `api-key`.
 * The package `openai` is loaded at the first call, so that a run without it never pays for it.
 * @throws UsageError for an address that cannot be used
 */
export function createOpenAiProvider(
  model: ModelDefinition,
  access: OpenAiAccess,
  network: Network,
  clock: Clock,
): EmbeddingProvider {
  const address = checkVersionedUrl(access.baseUrl ?? model.baseUrl ?? PROVIDERS.openai.url ?? '', model);
  const send = createOpenAiSender(address, network);
  const encoding = createEncoding(model.encodingFormat);
  return createJsonProvider(
    model,
    {
      dialect: 'openai',
      limits: chooseLimits(LIMITS, model),
      key: access.key,
      composeBody: (texts, role) => {
        const { modelId, extraBody, sendDimensions, dimensions } = modelForRole(model, role);
        return {
          ...extraBody,
          model: modelId,
          input: texts,
          ...encoding.fields(),
          ...(sendDimensions ? { dimensions } : {}),
        };
      },
      send: request => encoding.send(request, send),
      readReply: (json, { vectors }) => readEmbeddings(json, vectors),
    },
    clock,
  );
}

/**
 * Reads the parts of a reply that are used, as float32 little-endian bytes.
 * @param taken vectors that were decoded before the reply was parsed, by what stands in their place
 * @returns undefined for anything but a list of embeddings
 * @throws FreshetError `token_vectors` where every text has several vectors
 */
export function readEmbeddings(
  body: Readonly<Record<string, unknown>>,
  taken: TakenVectors['vectors'],
): Omit<EmbedReply, 'requestId'> | undefined {
  const { data, usage, model } = body;
  if (!Array.isArray(data)) return undefined;
  const entries = (data as readonly unknown[]).map(item => Object(item) as Record<string, unknown>);
  if (data.some(item => typeof item !== 'object' || item === null)) return undefined;
  const indexes = readIndexes(entries);
  if (indexes === undefined) return undefined;
  rejectTokenVectors(entries.map(({ embedding }) => embedding));
  const items = entries.map(({ embedding }, place) => ({
    index: indexes[place]!,
    bytes: readVector(embedding, taken),
  }));
  const { prompt_tokens, total_tokens } = Object(usage) as Record<string, unknown>;
  return { items, tokens: readTokens(prompt_tokens ?? total_tokens), model: readModelName(model) };
}

/**
 * Reads the index of each entry. A missing index is the entry's place in the list.
 * Servers that leave out zeros leave out the first index (Gemini's OpenAI endpoint). Others number
 * nothing. The place counts only where every index that is there agrees with its place, because an
 * index that was left out may also be a zero elsewhere in the list.
 * @returns NaN for an index that nothing tells, which validation refuses. Undefined where an index
 * is no number
 */
function readIndexes(entries: readonly Record<string, unknown>[]): number[] | undefined {
  const given = entries.map(({ index }) => readIndex(index));
  if (given.some(index => index !== undefined && typeof index !== 'number')) return undefined;
  const agrees = given.every((index, place) => index === undefined || index === place);
  return given.map((index, place) => (index as number | undefined) ?? (agrees ? place : Number.NaN));
}

/** Reads one index. Some servers write it as a text of digits, which can mean nothing else. */
function readIndex(index: unknown): unknown {
  if (typeof index === 'string' && /^\d{1,6}$/.test(index)) return Number(index);
  return index ?? undefined;
}

/**
 * Reads one vector. Servers may answer floats although base64 was asked.
 * A vector that cannot be read is empty: validation refuses it alone, and not its neighbours.
 */
function readVector(embedding: unknown, taken: TakenVectors['vectors']): Buffer {
  if (typeof embedding !== 'string') return encodeVector(embedding);
  return taken.get(embedding) ?? decodeAlone(embedding);
}

function decodeAlone(encoded: string): Buffer {
  return decodeBase64(encoded, Buffer.allocUnsafe(Math.ceil((encoded.length * 3) / 4)));
}
