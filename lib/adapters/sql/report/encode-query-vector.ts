/**
 * Encodes a query vector as pgvector's binary `vector`, and leaves the input as it is.
 * In: float32, little-endian. Out: int16 dimensions, a reserved int16 and float32, all big-endian,
 * as in pgvector's `vector_recv`.
 */
export function encodeQueryVector(vector: Buffer): Buffer {
  const header = Buffer.alloc(4);
  header.writeInt16BE(vector.length / 4, 0);
  return Buffer.concat([header, Buffer.from(vector).swap32()]);
}
