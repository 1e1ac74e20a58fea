import { VECTOR_ARRAY } from './vector-array-layout.ts';

/** PostgreSQL's binary `vector[]` of these vectors in memory of its own: see `writeVectorArray`. */
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
 * PostgreSQL's binary `vector[]`: little-endian float32 in, big-endian out, null for NULL. The element OID is 0 until `setElementOid`
 * (that of `vector` differs between databases). The inputs are left as they are. `array` has just the bytes that `measureVectorArray` says.
 *
 * Every field is a multiple of 4 bytes, so all is laid out in little-endian words and turned around at once at the end.
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
