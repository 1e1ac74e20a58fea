/** Decodes PostgreSQL's binary `vector[]`: float32, big-endian, null for NULL. */
export function decodeVectors(array: Buffer, count: number): (Buffer | null)[] {
  const vectors: (Buffer | null)[] = [];
  let offset = 20;
  for (let position = 0; position < count; position += 1) {
    const bytes = array.readInt32BE(offset);
    offset += 4;
    if (bytes < 0) {
      vectors.push(null);
      continue;
    }
    vectors.push(array.subarray(offset + 4, offset + bytes));
    offset += bytes;
  }
  return vectors;
}
