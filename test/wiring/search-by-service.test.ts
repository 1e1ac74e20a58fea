import { expect, test } from 'vitest';
import { FreshetError } from '../../lib/core/errors.ts';
import { refuseForFailure, ServiceRefusal } from '../../lib/core/service-refusal.ts';
import { searchByService } from '../../lib/wiring/open-search.ts';
import { makeModel } from '../factories/model-definition.ts';

const model = makeModel();
const refusalOf = async (refusal: ServiceRefusal) => {
  const embed = () => Promise.reject(refusal);
  const { embedQuery } = searchByService({ models: [model], embed } as never, Buffer.alloc(32));
  return embedQuery(model, 'x', AbortSignal.timeout(1000)).catch((error: unknown) => error);
};

test.each([
  ['unknown_words', 'The query has no word that the model knows (unknown_words).'],
  ['invalid_text', 'The provider refuses the query (invalid_text).'],
])('a query that is refused for %s is named as the client names it', async (code, message) => {
  const failure = new FreshetError('of no matter', { failureClass: 'item', code });

  expect(await refusalOf(refuseForFailure(failure, 0))).toMatchObject({
    message,
    param: 'query',
    status: 422,
  });
});

test('other refusals stay as they are', async () => {
  const refusal = new ServiceRefusal('not_ready', 'The service is ending.', { retryAfterSeconds: 5 });

  expect(await refusalOf(refusal)).toBe(refusal);
});
