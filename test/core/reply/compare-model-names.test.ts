import { expect, it } from 'vitest';
import { FreshetError } from '../../../lib/core/errors.ts';
import { rejectOtherModel } from '../../../lib/core/reply.ts';

/** `other` where the reply is rejected for its model. */
function compare(requested: string, model: string): string {
  try {
    return rejectOtherModel({ model }, requested);
  } catch (error) {
    if (error instanceof FreshetError && error.code === 'wrong_model') return 'other';
    throw error;
  }
}

it.each([
  ['text-embedding-3-small', 'text-embedding-3-small', 'same'],
  ['text-embedding-ada-002', 'text-embedding-ada-002-v2', 'same'],
  ['nomic-embed-text', 'nomic-embed-text:latest', 'same'],
  ['nomic-embed-text:v1.5', 'nomic-embed-text', 'same'],
  ['BAAI/bge-m3', 'bge-m3', 'same'],
  ['sentence-transformers/all-MiniLM-L6-v2', 'all-minilm-l6-v2', 'same'],
  ['my-deployment', 'text-embedding-3-small', 'unfamiliar'],
  ['text-embedding-3-small', 'ggml-model-q4.gguf', 'unfamiliar'],
  ['text-embedding-3-small', 'text-embedding-ada-002', 'other'],
  ['text-embedding-3-small', 'text-embedding-3-large', 'other'],
  ['intfloat/multilingual-e5-small', 'multilingual-e5-base', 'other'],
  ['all-MiniLM-L6-v2', 'all-MiniLM-L12-v2', 'other'],
])('asked for %s, an answer of %s is %s', (requested, answered, expected) => {
  expect(compare(requested, answered)).toBe(expected);
});
