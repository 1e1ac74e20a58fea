import { FreshetError } from '../../core/errors/freshet-error.ts';
import type { ModelDefinition } from '../../core/model/space.ts';
import type { Clock } from '../../ports/clock.ts';
import type { EmbeddingProvider } from '../../ports/embedding-provider.ts';

export function createOpenAiProvider(
  model: ModelDefinition,
  access: { readonly apiKey: string; readonly baseUrl?: string | undefined },
  _clock: Clock,
): EmbeddingProvider {
  return {
    limits: {
      maxTextsPerCall: 2048,
      maxTokensPerCall: 280_000,
      maxBytesPerCall: 8 * 1024 * 1024,
      tokenization: 'local',
    },
    embed: async () => {
      throw new FreshetError(`${model.alias} at ${access.baseUrl} is not reachable yet.`, {
        failureClass: 'unknown',
        code: 'unclassified',
      });
    },
  };
}
