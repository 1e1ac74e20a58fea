import type { ModelDefinition } from '../model/space.ts';
import { hashFields } from './hash-fields.ts';

/** What a configuration promises about a model's vectors, whatever its alias and wherever it is served: equal promises mean equal vectors. */
export function fingerprintModel(model: ModelDefinition): string {
  return hashFields([
    'freshet-model',
    '1',
    model.modelId,
    model.revision,
    String(model.dimensions),
    String(model.maxTokensPerText ?? ''),
    model.documentPrefix,
    String(model.normalized),
  ]);
}
