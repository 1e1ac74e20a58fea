import { vectorForText } from '../vector-for-text.ts';

export type ProtocolName = 'openai' | 'azure' | 'http' | 'ollama' | 'sagemaker';

/** What one adapter sends and expects, as its server sees it. */
export interface Protocol {
  readonly name: ProtocolName;
  readonly path: string;
  readTexts(body: Readonly<Record<string, unknown>>): readonly string[];
  vectorsOf(texts: readonly string[]): number[][];
  /** The body of a right answer that holds these vectors, right or not. */
  compose(vectors: readonly unknown[], request: Readonly<Record<string, unknown>>): unknown;
}

export const DIMENSIONS = 8;

export function floatsOf(bytes: Buffer): number[] {
  return Array.from({ length: bytes.length / 4 }, (_, position) => bytes.readFloatLE(position * 4));
}

/** Anything that is no list of numbers stays what it is. */
export function toBase64(vector: unknown): unknown {
  if (!Array.isArray(vector)) return vector;
  const bytes = Buffer.alloc(vector.length * 4);
  for (const [position, value] of vector.entries()) bytes.writeFloatLE(Number(value), position * 4);
  return bytes.toString('base64');
}

const shared = {
  vectorsOf: (texts: readonly string[]) => texts.map(text => floatsOf(vectorForText(text, DIMENSIONS))),
};

const openai: Protocol = {
  ...shared,
  name: 'openai',
  path: '/v1/embeddings',
  readTexts: body => body.input as string[],
  compose: (vectors, request) => ({
    object: 'list',
    data: vectors.map((vector, index) => ({ object: 'embedding', index, embedding: toBase64(vector) })),
    model: request.model,
    usage: { prompt_tokens: 9, total_tokens: 9 },
  }),
};

export const PROTOCOLS: Readonly<Record<ProtocolName, Protocol>> = {
  openai,
  /** OpenAI's API at Azure: the deployment in the path, the version in the query. */
  azure: {
    ...openai,
    name: 'azure',
    path: '/openai/deployments/emb/embeddings?api-version=2024-02-01',
  },
  http: {
    ...shared,
    name: 'http',
    path: '/v1/embed',
    readTexts: body => body.texts as string[],
    compose: vectors => ({ dim: lengthOf(vectors), vectors }),
  },
  ollama: {
    ...shared,
    name: 'ollama',
    path: '/api/embed',
    readTexts: body => body.input as string[],
    compose: (vectors, request) => ({
      model: request.model,
      embeddings: vectors,
      total_duration: 1,
      load_duration: 1,
      prompt_eval_count: 9,
    }),
  },
  sagemaker: {
    ...shared,
    name: 'sagemaker',
    path: '/endpoints/embeddings/invocations',
    readTexts: body => body.inputs as string[],
    compose: vectors => vectors,
  },
};

function lengthOf(vectors: readonly unknown[]): number {
  const vector = vectors.find(Array.isArray);
  return vector?.length ?? DIMENSIONS;
}
