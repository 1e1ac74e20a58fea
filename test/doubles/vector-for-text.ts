import { createHash } from 'node:crypto';

/**
 * Computes the one true vector of a text in tests, float32 little-endian and of length 1.
 *
 * It is pseudo-random, from the SHA-256 of the text.
 */
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

/**
 * Computes in hexadecimal the SHA-256 of what `vector_send` gives for the text's vector.
 *
 * That is: dimensions, two unused bytes, and float32 elements with the high byte first.
 */
export function digestVectorForText(text: string, dimensions: number): string {
  const header = Buffer.alloc(4);
  header.writeUInt16BE(dimensions);
  return createHash('sha256').update(header).update(vectorForText(text, dimensions).swap32()).digest('hex');
}
