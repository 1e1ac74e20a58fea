import { FreshetError } from '../errors/freshet-error.ts';
import type { ModelDefinition } from '../model/space.ts';
import { rejectOtherModel } from './compare-model-names.ts';
import { type ReceivedReply, validateReply } from './validate-reply.ts';

/**
 * Vectors by position, for who cannot do without one of them. Besides what `validateReply` rejects: `wrong_model` where the reply names another one, and
 * `invalid_vector` where a vector is unusable, both of class `stop`.
 */
export function requireVectors(
  reply: ReceivedReply,
  model: Pick<ModelDefinition, 'modelId' | 'dimensions' | 'normalized'>,
  count: number,
): Buffer[] {
  rejectOtherModel(reply, model.modelId);
  const { dimensions, normalized } = model;
  const { vectors } = validateReply(reply, { count, dimensions, normalized });
  return vectors.map(vector => vector ?? refuseVector(reply.requestId));
}

function refuseVector(requestId: string | undefined): never {
  throw new FreshetError(
    'The provider answered a vector that cannot be stored: not finite, zero, or not of length 1.',
    { failureClass: 'stop', code: 'invalid_vector', requestId },
  );
}
