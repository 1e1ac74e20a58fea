import { FreshetError } from '../errors/freshet-error.ts';
import type { ModelDefinition } from '../model/space.ts';
import { rejectOtherModel } from './compare-model-names.ts';
import { type ReceivedReply, validateReply } from './validate-reply.ts';

/**
 * Returns all vectors by position, for callers that need every one of them.
 * @throws FreshetError what `validateReply` throws
 * @throws FreshetError `wrong_model` where the reply names another model, of class `stop`
 * @throws FreshetError `invalid_vector` where a vector is unusable, of class `stop`
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
