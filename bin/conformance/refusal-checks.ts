import type { Check } from './check.ts';
import type { EmbedService } from './embed-service.ts';
import { insist, insistOnError, readVectors } from './read-vectors.ts';

/** More texts than any server takes at once, so that its limit is met. */
const OVERSIZED_BATCH = 20_000;

const withoutToken = ({ token }: EmbedService) => (token === '' ? 'no token was given' : undefined);
const request = ({ model }: EmbedService, changes: object = {}) => ({
  model,
  texts: ['one'],
  normalize: true,
  ...changes,
});

export const REFUSAL_CHECKS: readonly Check[] = [
  {
    name: 'empty list: answered with an empty list, or 422',
    run: async service => {
      const answer = await service.post(request(service, { texts: [] }));
      if (answer.status !== 200) return insistOnError(answer, [422]);
      const { vectors } = Object(answer.json) as Record<string, unknown>;
      insist(Array.isArray(vectors) && vectors.length === 0, 'vectors is no empty list');
    },
  },
  {
    name: 'empty text: has a vector, or 422 invalid_text; it is never left out',
    run: async service => {
      const answer = await service.post(request(service, { texts: ['one', '', 'two'] }));
      if (answer.status === 200) readVectors(answer, 3);
      else insistOnError(answer, [422], ['invalid_text']);
    },
  },
  {
    name: `oversized batch: ${OVERSIZED_BATCH} texts are embedded, or 413`,
    run: async service => {
      const texts = Array.from({ length: OVERSIZED_BATCH }, (_, position) => `${position}`);
      const answer = await service.post(request(service, { texts }));
      if (answer.status === 200) readVectors(answer, texts.length);
      else insistOnError(answer, [413]);
    },
  },
  {
    name: 'unknown model: 404 model_not_found',
    run: async service =>
      insistOnError(
        await service.post(request(service, { model: 'freshet-conformance-no-such-model' })),
        [404],
        ['model_not_found'],
      ),
  },
  {
    name: 'wrong token: 401',
    skip: withoutToken,
    run: async service => insistOnError(await service.post(request(service), `${service.token}-not`), [401]),
  },
  {
    name: 'no token: 401',
    skip: withoutToken,
    run: async service => insistOnError(await service.post(request(service), ''), [401]),
  },
  {
    name: 'malformed JSON: 400 or 422',
    run: async service => insistOnError(await service.post('{"model":'), [400, 422]),
  },
  {
    name: 'texts missing: 400 or 422',
    run: async service => insistOnError(await service.post({ model: service.model }), [400, 422]),
  },
  {
    name: 'texts that are no texts: 400 or 422',
    run: async service =>
      insistOnError(await service.post(request(service, { texts: ['one', 2, null] })), [400, 422]),
  },
];
