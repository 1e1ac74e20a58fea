import { VECTOR_ARRAY } from './vector-array-layout.ts';

/**
 * Encodes vectors as PostgreSQL's binary `vector[]` in a buffer of its own.
 * `writeVectorArray` describes the layout.
 */
export function encodeVectorArray(vectors: readonly (Buffer | null)[], dimensions: number): Buffer {
  const array = Buffer.allocUnsafe(measureVectorArray(vectors, dimensions));
  writeVectorArray(array, vectors, dimensions);
  return array;
}

/** Bytes of the array that `writeVectorArray` writes. */
export function measureVectorArray(vectors: readonly (Buffer | null)[], dimensions: number): number {
  if (vectors.length === 0) return VECTOR_ARRAY.emptyBytes;
  const present = vectors.reduce((count, vector) => (vector === null ? count : count + 1), 0);
  return VECTOR_ARRAY.headerBytes + 4 * vectors.length + elementBytesOf(dimensions) * present;
}

/**
 * Writes vectors into `array` as PostgreSQL's binary `vector[]`, null as NULL.
 * The input is little-endian float32 and is left as it is; the output is big-endian. `array` must
 * have exactly the bytes that `measureVectorArray` returns. The element OID is 0 until
 * `setElementOid`, because the OID of `vector` differs between databases.
 *
 * Every field is a multiple of 4 bytes, so that all of them are laid out as little-endian words
 * first and swapped at once at the end.
 * @throws RangeError for a vector of other dimensions
 */
export function writeVectorArray(
  array: Buffer,
  vectors: readonly (Buffer | null)[],
  dimensions: number,
): void {
  if (vectors.length === 0) {
    array.fill(0);
    return;
  }
  const elementBytes = elementBytesOf(dimensions);
  const hasNulls = vectors.includes(null) ? 1 : 0;
  let offset = 0;
  for (const word of [1, hasNulls, 0, vectors.length, 1]) offset = array.writeInt32LE(word, offset);
  for (const vector of vectors) {
    if (vector === null) {
      offset = array.writeInt32LE(-1, offset);
      continue;
    }
    if (vector.length !== 4 * dimensions) {
      throw new RangeError(`A vector of ${vector.length} bytes cannot stand among ${dimensions} dimensions.`);
    }
    offset = array.writeInt32LE(elementBytes, offset);
    // int16 dimensions and int16 0, as one word.
    offset = array.writeInt32LE(dimensions * 65_536, offset);
    offset += vector.copy(array, offset);
  }
  array.swap32();
}

const elementBytesOf = (dimensions: number): number => VECTOR_ARRAY.elementHeaderBytes + 4 * dimensions;
