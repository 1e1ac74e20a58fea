import { type Behaviour, EVERY, embed, POISON, sendJson, spoiled } from './behaviour.ts';
import { DIMENSIONS } from './protocols.ts';

const unitVector = (length: number) => Array.from({ length }, (_, position) => (position === 0 ? 1 : 0));

const spoilPoison = (vector: unknown) => (vectors: (number[] | null)[], texts: readonly string[]) =>
  vectors.map((right, position) => (texts[position] === POISON ? vector : right));

/** Those whose double lists vectors as they are: OpenAI's encodes them, and `http` has their length too. */
const LISTING = ['ollama', 'sagemaker'] as const;

/** Answers of the right shape with wrong vectors. */
export const VECTOR_BEHAVIOURS: readonly Behaviour[] = [
  spoiled('a vector too few', EVERY, vectors => vectors.slice(1)),
  spoiled('a vector too few for more than one text', EVERY, vectors =>
    vectors.length > 1 ? vectors.slice(1) : vectors,
  ),
  spoiled('a vector too many', EVERY, vectors => [...vectors, ...vectors.slice(0, 1)]),
  spoiled('no vectors', EVERY, () => []),
  spoiled('vectors of other dimensions', EVERY, vectors => vectors.map(() => unitVector(DIMENSIONS * 2))),
  spoiled('one vector of other dimensions', EVERY, spoilPoison(unitVector(3))),
  spoiled('one vector with NaN', EVERY, spoilPoison([Number.NaN, ...unitVector(DIMENSIONS - 1)])),
  spoiled('one vector with a number too large for float32', EVERY, spoilPoison([1e39, 0, 0, 0, 0, 0, 0, 0])),
  spoiled('one vector of zeros', EVERY, spoilPoison(new Array(DIMENSIONS).fill(0))),
  spoiled('one empty vector', EVERY, spoilPoison([])),
  spoiled('null for one vector', EVERY, spoilPoison(null)),
  spoiled('one vector of words', EVERY, spoilPoison(new Array(DIMENSIONS).fill('canary'))),
  spoiled('each vector in a list of its own', LISTING, vectors => vectors.map(vector => [vector])),
  spoiled('a vector for each token', LISTING, vectors => vectors.map(vector => [vector, vector])),
  spoiled('vectors that were never normalised', EVERY, vectors =>
    vectors.map(vector => vector?.map(value => value * 7)),
  ),
  {
    name: 'one vector with NaN, at the first call only',
    protocols: EVERY,
    answer: answering => {
      if (answering.callsBefore > 0) return embed(answering);
      const { response, protocol, texts, body } = answering;
      const vectors = spoilPoison([Number.NaN])(protocol.vectorsOf(texts), texts);
      sendJson(response, 200, protocol.compose(vectors, body));
    },
  },
];
