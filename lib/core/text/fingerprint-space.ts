import type { ModelDefinition } from '../model/space.ts';
import { hashFields } from './hash-fields.ts';

/**
 * Fingerprints everything that decides which vector a row gets.
 * The query prefix, the price and the endpoint's address are left out: changing them leaves stored
 * vectors as they are.
 */
export function fingerprintSpace(space: {
  readonly sourceName: string;
  readonly model: ModelDefinition;
  /** The recipe as `describeRecipe` returns it. */
  readonly recipe: string;
}): string {
  const { model } = space;
  return hashFields([
    'freshet-space',
    '1',
    space.sourceName,
    model.alias,
    model.provider,
    model.modelId,
    model.revision,
    String(model.dimensions),
    String(model.maxTokensPerText ?? ''),
    model.documentPrefix,
    String(model.normalized),
    space.recipe,
  ]);
}
