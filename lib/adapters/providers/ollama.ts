import { FreshetError } from '../../core/errors.ts';
import { type ModelDefinition, modelForRole } from '../../core/model.ts';
import { PROVIDERS } from '../../core/providers.ts';
import type { Clock } from '../../ports/process.ts';
import type { EmbeddingLimits, EmbeddingProvider } from '../../ports/provider.ts';
import { checkBaseUrl } from '../network/addresses.ts';
import type { Network } from '../network/open-network.ts';
import { postJson } from '../network/post-json.ts';
import { encodeFloats } from './float-lists.ts';
import { chooseLimits, createJsonProvider, readModelName, readTokens } from './json-provider.ts';

/**
 * What Ollama takes in one call. It has no limit of its own.
 * Each text gets a place in its queue of 512. A call that finds the queue full is refused whole.
 */
const LIMITS: EmbeddingLimits = {
  maxTextsPerCall: 128,
  maxTokensPerCall: 280_000,
  maxBytesPerCall: 8 * 1024 * 1024,
  tokenization: 'server',
};

/**
 * Makes the provider of Ollama's `/api/embed`, which needs no key.
 * Ollama itself cuts texts to the context of the model.
 * @throws UsageError for an address that cannot be used
 */
export function createOllamaProvider(
  model: ModelDefinition,
  network: Network,
  clock: Clock,
): EmbeddingProvider {
  const url = `${checkBaseUrl(model.baseUrl ?? PROVIDERS.ollama.url ?? '', model)}/api/embed`;
  return createJsonProvider(
    model,
    {
      dialect: 'ollama',
      limits: chooseLimits(LIMITS, model),
      composeBody: (texts, role) => {
        const { modelId, extraBody, sendDimensions, dimensions } = modelForRole(model, role);
        const fields = { ...extraBody, model: modelId, input: texts, truncate: true };
        return sendDimensions ? { ...fields, dimensions } : fields;
      },
      send: request => postJson(network, url, request),
      readReply: ({ embeddings, model: answered, prompt_eval_count: tokens }) =>
        Array.isArray(embeddings)
          ? { items: encodeFloats(embeddings), tokens: readTokens(tokens), model: readModelName(answered) }
          : undefined,
      addRemedy: error => addRemedy(error, model.modelId),
    },
    clock,
  );
}

function addRemedy(error: FreshetError, modelId: string): FreshetError {
  if (error.code !== 'model_not_found') return error;
  return new FreshetError(`Ollama has no model ${modelId}: run "ollama pull ${modelId}", then go on.`, error);
}
