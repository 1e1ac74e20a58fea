import { sha256Hex } from '../../lib/core/text.ts';
import {
  cosine,
  type EmbedService,
  embed,
  insist,
  insistOnError,
  lengthOf,
  Nonconformity,
  readServiceVectors,
} from './service.ts';

/** One promise of `docs/contracts/embed-v1.yaml`. */
interface Check {
  readonly name: string;
  /** Why the check says nothing about this service; undefined: it does. */
  skip?(service: EmbedService): string | undefined;
  /** Rejects with `Nonconformity` where the promise is not kept. */
  run(service: EmbedService): Promise<void>;
}

const TEXTS = ['A small animal with whiskers.', 'Interest rates rose again.', 'Der Zug hat Verspätung.'];

/** Texts of which a model for one language may know no word. */
const UNUSUAL_TEXTS = [
  '🌊👩‍👩‍👧‍👦',
  'שלום עולם',
  '日本語のテキスト',
  '한국어 문장',
  'Zürich, cafe\u0301',
  'zero\u200bwidth',
  '"\\\n\t.',
  '𝒳',
];

/** The least cosine of equal vectors: half precision and reordered additions stay above it. */
const SAME = 0.999;
const NORM_TOLERANCE = 0.01;
/** Texts that every server takes in one call. */
const LEAST_BATCH = 100;

const insistOnSame = (left: readonly number[][], right: readonly number[][], when: string) => {
  for (const [position, vector] of left.entries()) {
    const similarity = cosine(vector, right[position] ?? []);
    insist(
      similarity >= SAME,
      `text ${position + 1} has another vector ${when} (cosine ${similarity.toFixed(4)})`,
    );
  }
};

const VECTOR_CHECKS: readonly Check[] = [
  {
    name: 'shape: a vector of dim finite numbers for each text',
    run: async service => void (await embed(service, TEXTS)),
  },
  {
    name: 'order: vectors come in the order of the texts',
    run: async service => {
      const forwards = await embed(service, TEXTS);
      const backwards = await embed(service, [...TEXTS].reverse());
      insistOnSame(forwards, [...backwards].reverse(), 'when the order is reversed');
    },
  },
  {
    name: 'independence: a text has the same vector alone and among others',
    run: async service => {
      const together = await embed(service, TEXTS);
      const alone = [];
      for (const text of TEXTS) alone.push(...(await embed(service, [text])));
      insistOnSame(together, alone, 'when it is alone');
    },
  },
  {
    name: 'determinism: a text has the same vector twice',
    run: async service =>
      insistOnSame(await embed(service, TEXTS), await embed(service, TEXTS), 'the second time'),
  },
  {
    name: 'difference: different texts have different vectors',
    run: async service => {
      const [first = [], second = []] = await embed(service, TEXTS);
      insist(cosine(first, second) < SAME, 'two different texts have the same vector');
    },
  },
  {
    name: 'duplicates: a text that comes twice has two vectors, both the same',
    run: async service => {
      const [first = [], , third = []] = await embed(service, ['again', 'between', 'again']);
      insistOnSame([first], [third], 'at its second place');
    },
  },
  {
    name: 'normalisation: normalize true gives vectors of length 1',
    run: async service => {
      for (const vector of await embed(service, TEXTS)) {
        const norm = lengthOf(vector);
        insist(Math.abs(norm - 1) <= NORM_TOLERANCE, `a vector has length ${norm.toFixed(4)}`);
      }
    },
  },
  {
    name: 'normalisation: normalize false changes no direction',
    run: async service =>
      insistOnSame(
        await embed(service, TEXTS),
        await embed(service, TEXTS, { normalize: false }),
        'without normalisation',
      ),
  },
  {
    name: 'unicode: words beside any other characters have a vector',
    run: async service =>
      void (await embed(
        service,
        UNUSUAL_TEXTS.map(text => `a small animal ${text}`),
      )),
  },
  {
    name: 'scripts: a text of any script has a vector, or 422 invalid_text by itself',
    run: async service => {
      for (const text of UNUSUAL_TEXTS) {
        const answer = await service.post({ model: service.model, texts: [text], normalize: true });
        if (answer.status === 200) readServiceVectors(answer, 1);
        else insistOnError(answer, [422], ['invalid_text']);
      }
    },
  },
  {
    name: 'length: a text of 200,000 characters is cut, or refused by itself',
    run: async service => {
      const answer = await service.post({
        model: service.model,
        texts: ['long '.repeat(40_000)],
        normalize: true,
      });
      insist([200, 413, 422].includes(answer.status), `status ${answer.status}, expected 200, 413 or 422`);
    },
  },
  {
    name: `batch: ${LEAST_BATCH} texts in one call`,
    run: async service => {
      const texts = Array.from({ length: LEAST_BATCH }, (_, position) => `Text number ${position}.`);
      const vectors = await embed(service, texts);
      const [last = []] = await embed(service, texts.slice(-1));
      insistOnSame(vectors.slice(-1), [last], 'at the end of a batch');
    },
  },
  {
    name: 'hashes: vector_text_hash changes no vector',
    run: async service => {
      const hashes = TEXTS.map(sha256Hex);
      const hashed = await embed(service, TEXTS, { vector_text_hash: hashes });
      insistOnSame(await embed(service, TEXTS), hashed, 'with its hash');
    },
  },
];

/** More texts than any server takes at once, so that its limit is met. */
const OVERSIZED_BATCH = 20_000;

const withoutToken = ({ token }: EmbedService) => (token === '' ? 'no token was given' : undefined);
const request = ({ model }: EmbedService, changes: object = {}) => ({
  model,
  texts: ['one'],
  normalize: true,
  ...changes,
});

const REFUSAL_CHECKS: readonly Check[] = [
  {
    name: 'empty list: answered with an empty list, or 400 or 422',
    run: async service => {
      const answer = await service.post(request(service, { texts: [] }));
      if (answer.status !== 200) return insistOnError(answer, [400, 422]);
      const { vectors } = Object(answer.json) as Record<string, unknown>;
      insist(Array.isArray(vectors) && vectors.length === 0, 'vectors is no empty list');
    },
  },
  {
    name: 'empty text: has a vector, or 400 or 422; it is never left out',
    run: async service => {
      const answer = await service.post(request(service, { texts: ['one', '', 'two'] }));
      if (answer.status === 200) readServiceVectors(answer, 3);
      else insistOnError(answer, [400, 422], ['invalid_text', 'invalid_request']);
    },
  },
  {
    name: `oversized batch: ${OVERSIZED_BATCH} texts are embedded, or 413`,
    run: async service => {
      const texts = Array.from({ length: OVERSIZED_BATCH }, (_, position) => `${position}`);
      const answer = await service.post(request(service, { texts }));
      if (answer.status === 200) readServiceVectors(answer, texts.length);
      else insistOnError(answer, [413]);
    },
  },
  {
    name: 'unknown model: 400 or 404 model_not_found',
    run: async service =>
      insistOnError(
        await service.post(request(service, { model: 'freshet-conformance-no-such-model' })),
        [400, 404],
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

interface CheckResult {
  readonly name: string;
  readonly result: 'passed' | 'failed' | 'skipped';
  /** What does not conform, or why it was skipped. */
  readonly detail: string;
}

export const CHECKS: readonly Check[] = [...VECTOR_CHECKS, ...REFUSAL_CHECKS];

/** Runs the checks one after the other, so that a service's limits do not decide the result. */
export async function runChecks(service: EmbedService): Promise<CheckResult[]> {
  const results: CheckResult[] = [];
  for (const check of CHECKS) results.push(await runCheck(check, service));
  return results;
}

async function runCheck(check: Check, service: EmbedService): Promise<CheckResult> {
  const skipped = check.skip?.(service);
  if (skipped !== undefined) return { name: check.name, result: 'skipped', detail: skipped };
  try {
    await check.run(service);
    return { name: check.name, result: 'passed', detail: '' };
  } catch (error) {
    return { name: check.name, result: 'failed', detail: describe(error) };
  }
}

function describe(error: unknown): string {
  if (error instanceof Nonconformity) return error.message;
  if (!(error instanceof Error)) return 'the call failed';
  if (error.name === 'TimeoutError') return 'no answer within the time';
  const { code } = Object(error.cause) as { readonly code?: unknown };
  return `the call failed (${typeof code === 'string' ? code : error.name})`;
}
