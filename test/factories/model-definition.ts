import type { ModelDefinition } from '../../lib/core/model.ts';

export function makeModel(changes: Partial<ModelDefinition> = {}): ModelDefinition {
  return {
    alias: 'small',
    provider: 'openai',
    modelId: 'text-embedding-3-small',
    revision: 'latest',
    dimensions: 8,
    maxTokensPerText: 8191,
    documentPrefix: '',
    queryPrefix: '',
    normalized: true,
    usdPerMillionTokens: 0.02,
    sendDimensions: true,
    ...changes,
  };
}
