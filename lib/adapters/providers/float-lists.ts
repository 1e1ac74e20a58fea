import { FreshetError } from '../../core/errors.ts';

/**
 * Turns the vectors of a reply into float32 little-endian bytes, in the order in which they came.
 * All vectors lie in one piece of memory. What is no list of numbers becomes empty, and what is no
 * number within one becomes NaN: validation then refuses that vector alone.
 * A list of one list of numbers is that list: llama.cpp answers so at its own endpoint.
 * @throws FreshetError `token_vectors`, of class `stop`, where every text has several vectors
 */
export function encodeFloats(vectors: readonly unknown[]): { index: number; bytes: Buffer }[] {
  rejectTokenVectors(vectors);
  const lists = vectors.map(findNumbers);
  const slab = Buffer.allocUnsafe(4 * lists.reduce((sum, list) => sum + list.length, 0));
  let used = 0;
  return lists.map((list, index) => {
    const start = used;
    used = writeFloats(slab, list, used);
    return { index, bytes: slab.subarray(start, used) };
  });
}

/** Turns one vector into bytes, as `encodeFloats` does with those of a whole reply. */
export function encodeVector(vector: unknown): Buffer {
  const list = findNumbers(vector);
  const bytes = Buffer.allocUnsafe(4 * list.length);
  writeFloats(bytes, list, 0);
  return bytes;
}

function writeFloats(slab: Buffer, list: readonly unknown[], offset: number): number {
  let used = offset;
  for (const value of list) used = slab.writeFloatLE(typeof value === 'number' ? value : Number.NaN, used);
  return used;
}

/**
 * Refuses a reply in which every text has a list of lists, and one of them several.
 * A server without pooling answers a vector for each token. Their count is no number of dimensions.
 */
export function rejectTokenVectors(vectors: readonly unknown[]): void {
  if (!vectors.every(isNested) || vectors.every(vector => vector.length === 1)) return;
  throw new FreshetError(
    'The provider answered several vectors for one text, as a server without pooling does for its tokens. ' +
      'Start the server with pooling (llama.cpp: --pooling mean, or what the model was made with), or name ' +
      'an address that answers one vector for each text.',
    { failureClass: 'stop', code: 'token_vectors' },
  );
}

/** The numbers of a vector, which are empty where it has none; null stands for NaN in JSON. */
function findNumbers(vector: unknown): readonly unknown[] {
  const list = isNested(vector) && vector.length === 1 ? vector[0] : vector;
  return Array.isArray(list) && (typeof list[0] === 'number' || list[0] === null) ? list : [];
}

function isNested(vector: unknown): vector is readonly unknown[][] {
  return Array.isArray(vector) && Array.isArray(vector[0]);
}
