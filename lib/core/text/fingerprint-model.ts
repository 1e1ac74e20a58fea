import type { ModelDefinition } from '../model/space.ts';
import { hashFields } from './hash-fields.ts';

/**
 * Fingerprints what a configuration promises about a model's vectors.
 * The alias and the place of the model are left out. Equal fingerprints promise equal vectors.
 */
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
