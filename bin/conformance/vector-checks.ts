import { createHash } from 'node:crypto';
import type { Check } from './check.ts';
import { cosine, embed, insist, normOf } from './read-vectors.ts';

const TEXTS = ['A small animal with whiskers.', 'Interest rates rose again.', 'Der Zug hat Verspätung.'];

/** Half precision and another order of additions stay well inside. */
const SAME = 0.999;
const NORM_TOLERANCE = 0.01;
/** What every server takes in one call. */
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

export const VECTOR_CHECKS: readonly Check[] = [
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
        const norm = normOf(vector);
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
    name: 'unicode: any text has a vector',
    run: async service =>
      void (await embed(service, [
        '🌊👩‍👩‍👧‍👦',
        'שלום עולם',
        '日本語のテキスト',
        'e\u0301',
        '\u200b',
        '"\\\n\t',
        '𝒳',
      ])),
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
      const hashes = TEXTS.map(text => createHash('sha256').update(text).digest('hex'));
      const hashed = await embed(service, TEXTS, { vector_text_hash: hashes });
      insistOnSame(await embed(service, TEXTS), hashed, 'with its hash');
    },
  },
];
