import { FreshetError } from '../../core/errors/freshet-error.ts';
import type { ModelDefinition } from '../../core/model/space.ts';
import type { Clock } from '../../ports/clock.ts';
import type { EmbeddingLimits, EmbeddingProvider, EmbedReply } from '../../ports/embedding-provider.ts';
import { assertWithinLimits, boundAnswer, chooseLimits } from '../network/call-limits.ts';
import { checkBaseUrl } from '../network/check-base-url.ts';
import type { Network } from '../network/open-network.ts';
import { type JsonReply, postJson } from '../network/post-json.ts';
import { invalidReply, readTokens, readVectors } from '../network/read-vectors.ts';
import { withinDeadline } from '../network/within-deadline.ts';

/** Ollama takes any number, but gives each text a place in its queue of 512, and one call refused for a full queue is refused whole. */
const LIMITS: EmbeddingLimits = {
  maxTextsPerCall: 128,
  maxTokensPerCall: 280_000,
  maxBytesPerCall: 8 * 1024 * 1024,
  tokenization: 'server',
};

/** `/api/embed` of Ollama, which needs no key and cuts texts to the model's context by itself. Throws `UsageError` for an address that cannot be used. */
export function createOllamaProvider(
  model: ModelDefinition,
  network: Network,
  clock: Clock,
): EmbeddingProvider {
  const url = `${checkBaseUrl(model.baseUrl ?? 'http://127.0.0.1:11434')}/api/embed`;
  const limits = chooseLimits(LIMITS, model);
  return {
    limits,
    async embed(request) {
      const { texts } = request;
      if (texts.length === 0) return { items: [], tokens: undefined, requestId: undefined };
      assertWithinLimits(texts, limits);
      const body = {
        model: model.modelId,
        input: texts,
        truncate: true,
        ...(model.sendDimensions ? { dimensions: model.dimensions } : {}),
      };
      const reply = await withinDeadline(request, clock, signal =>
        postJson(network, {
          url,
          body,
          key: '',
          signal,
          maxAnswerBytes: boundAnswer(texts, model),
          dialect: 'ollama',
          nowMs: clock.now,
        }),
      ).catch((error: unknown) => {
        throw addRemedy(error, model.modelId);
      });
      return readReply(reply);
    },
  };
}

function readReply({ json, requestId }: JsonReply): EmbedReply {
  const { embeddings, model, prompt_eval_count: tokens } = json;
  if (!Array.isArray(embeddings)) throw invalidReply(requestId);
  return {
    items: readVectors(embeddings),
    tokens: readTokens(tokens),
    requestId,
    model: typeof model === 'string' ? model : undefined,
  };
}

function addRemedy(error: unknown, modelId: string): unknown {
  if (!(error instanceof FreshetError) || error.code !== 'model_not_found') return error;
  return new FreshetError(`Ollama has no model ${modelId}: run "ollama pull ${modelId}", then go on.`, error);
}
