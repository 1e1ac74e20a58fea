import { VECTOR_ARRAY } from './vector-array-layout.ts';

/**
 * PostgreSQL's binary `vector[]`: little-endian float32 in, big-endian out, null for NULL. The element OID is 0 until `setElementOid`
 * (that of `vector` differs between databases). The inputs are left as they are.
 */
export function encodeVectorArray(vectors: readonly (Buffer | null)[], dimensions: number): Buffer {
  if (vectors.length === 0) return Buffer.alloc(VECTOR_ARRAY.emptyBytes);
  const present = vectors.reduce((count, vector) => (vector === null ? count : count + 1), 0);
  const elementBytes = VECTOR_ARRAY.elementHeaderBytes + 4 * dimensions;
  const array = Buffer.allocUnsafe(VECTOR_ARRAY.headerBytes + 4 * vectors.length + elementBytes * present);
  array.writeInt32BE(1, 0);
  array.writeInt32BE(present === vectors.length ? 0 : 1, 4);
  array.writeUInt32BE(0, VECTOR_ARRAY.oidOffset);
  array.writeInt32BE(vectors.length, 12);
  array.writeInt32BE(1, 16);
  let offset: number = VECTOR_ARRAY.headerBytes;
  for (const vector of vectors) {
    if (vector === null) {
      offset = array.writeInt32BE(-1, offset);
      continue;
    }
    if (vector.length !== 4 * dimensions) {
      throw new RangeError(`A vector of ${vector.length} bytes cannot stand among ${dimensions} dimensions.`);
    }
    offset = array.writeInt32BE(elementBytes, offset);
    offset = array.writeInt16BE(dimensions, offset);
    offset = array.writeInt16BE(0, offset);
    vector.copy(array, offset);
    array.subarray(offset, offset + vector.length).swap32();
    offset += vector.length;
  }
  return array;
}
