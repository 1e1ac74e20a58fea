/** pgvector's binary `vector`: little-endian float32 in; dimensions, a reserved word and big-endian float32 out. The input is left as it is. */
export function encodeQueryVector(vector: Buffer): Buffer {
  const header = Buffer.alloc(4);
  header.writeInt16BE(vector.length / 4, 0);
  return Buffer.concat([header, Buffer.from(vector).swap32()]);
}
