import type { ModelDefinition } from '../../core/model/space.ts';
import { estimateTokens } from '../../core/packing/estimate-tokens.ts';
import type { EmbeddingLimits, EmbeddingProvider } from '../../ports/embedding-provider.ts';
import { chooseLimits } from '../network/call-limits.ts';
import { hashText } from './hash-text.ts';

const LIMITS: EmbeddingLimits = {
  maxTextsPerCall: 10_000,
  maxTokensPerCall: 10_000_000,
  maxBytesPerCall: 64 * 1024 * 1024,
  tokenization: 'server',
};

/** Feature hashing: no model, no network, the same vectors on every machine. It finds similar wording, not meaning. */
export function createHashProvider(model: ModelDefinition): EmbeddingProvider {
  return {
    limits: chooseLimits(LIMITS, model),
    embed: async ({ texts }) => ({
      items: texts.map((text, index) => ({ index, bytes: hashText(text, model.dimensions) })),
      tokens: texts.reduce((sum, text) => sum + estimateTokens(text), 0),
      requestId: undefined,
    }),
  };
}
