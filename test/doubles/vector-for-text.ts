import { createHash } from 'node:crypto';

/** The one true vector of a text in tests: pseudo-random from its SHA-256, of length 1, float32 little-endian. */
export function vectorForText(text: string, dimensions: number): Buffer {
  let state = createHash('sha256').update(text).digest().readUInt32LE(0) | 1;
  const values = new Float64Array(dimensions);
  let squares = 0;
  for (let position = 0; position < dimensions; position += 1) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    const value = state / 2 ** 31;
    values[position] = value;
    squares += value * value;
  }
  const norm = Math.sqrt(squares);
  const bytes = Buffer.allocUnsafe(dimensions * 4);
  for (let position = 0; position < dimensions; position += 1) {
    bytes.writeFloatLE((values[position] ?? 0) / norm, position * 4);
  }
  return bytes;
}
