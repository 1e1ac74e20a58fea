import { createHash } from 'node:crypto';
import { UsageError } from '../../core/errors/usage-error.ts';
import type { ModelDefinition } from '../../core/model/space.ts';
import type { Clock } from '../../ports/clock.ts';
import type {
  EmbeddingLimits,
  EmbeddingProvider,
  EmbedReply,
  KeySource,
} from '../../ports/embedding-provider.ts';
import { assertWithinLimits, boundAnswer, chooseLimits } from '../network/call-limits.ts';
import { callWithKey } from '../network/call-with-key.ts';
import { checkBaseUrl } from '../network/check-base-url.ts';
import type { Network } from '../network/open-network.ts';
import { type JsonReply, postJson } from '../network/post-json.ts';
import { invalidReply, readTokens, readVectors } from '../network/read-vectors.ts';
import { withinDeadline } from '../network/within-deadline.ts';

/** Of the contract, `docs/contracts/embed-v1.yaml`: every server takes this much. */
const USUAL: EmbeddingLimits = {
  maxTextsPerCall: 100,
  maxTokensPerCall: 280_000,
  maxBytesPerCall: 2_000_000,
  tokenization: 'server',
};
/** For servers that take more, as the model's limits say. */
const HARDEST: EmbeddingLimits = { ...USUAL, maxTextsPerCall: 2048, maxBytesPerCall: 8 * 1024 * 1024 };

/** A service of one's own that speaks `POST /v1/embed`. Throws `UsageError` for an address that cannot be used. */
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
  const url = `${checkBaseUrl(model.baseUrl)}/v1/embed`;
  const limits = chooseLimits(HARDEST, model, USUAL);
  return {
    limits,
    async embed(request) {
      const { texts } = request;
      assertWithinLimits(texts, limits);
      const body = composeBody(model, texts);
      const reply = await withinDeadline(request, clock, signal =>
        callWithKey(access.key, key =>
          postJson(network, {
            url,
            body,
            key,
            signal,
            maxAnswerBytes: boundAnswer(texts, model),
            dialect: 'embed-v1',
            nowMs: clock.now,
          }),
        ),
      );
      return readReply(reply);
    },
  };
}

function composeBody(model: ModelDefinition, texts: readonly string[]): object {
  const body = { model: model.modelId, texts, normalize: model.normalized };
  if (!model.sendTextHashes) return body;
  return { ...body, vector_text_hash: texts.map(text => createHash('sha256').update(text).digest('hex')) };
}

function readReply({ json, requestId }: JsonReply): EmbedReply {
  const { dim, vectors, model, tokens } = json;
  if (!Array.isArray(vectors) || typeof dim !== 'number') throw invalidReply(requestId);
  const items = readVectors(vectors);
  // Where it contradicts itself in every vector, no part of it can be believed.
  const vectorBytes = items.map(({ bytes }) => bytes.length).filter(length => length > 0);
  if (vectorBytes.length > 0 && vectorBytes.every(length => length !== dim * 4))
    throw invalidReply(requestId);
  return {
    items,
    tokens: readTokens(tokens),
    requestId,
    model: typeof model === 'string' ? model : undefined,
  };
}
