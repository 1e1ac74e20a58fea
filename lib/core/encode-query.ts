import { roundToHalf } from './half-floats.ts';
import type { VectorStorage } from './model.ts';
import { measureNorm, viewFloats } from './vectors.ts';

/**
 * Encodes a query vector as pgvector's binary value of a storage; the input stays as it is.
 * In: float32, little-endian. Out: int16 dimensions, a reserved int16 and float32 or float16, all
 * big-endian, as `vector_recv` and `halfvec_recv` read them.
 */
export function encodeQuery(vector: Buffer, storage: VectorStorage): Buffer {
  const header = Buffer.alloc(4);
  header.writeInt16BE(vector.length / 4, 0);
  const values = storage === undefined ? Buffer.from(vector).swap32() : toHalfOfLengthOne(vector).swap16();
  return Buffer.concat([header, values]);
}

/**
 * Rounds a query to half floats after it is brought to length 1.
 * A cosine does not ask for the length, and no component of such a vector is out of range.
 */
function toHalfOfLengthOne(vector: Buffer): Buffer {
  const norm = measureNorm(vector);
  const unit = viewFloats(vector).map(value => value / norm);
  // A vector of zeros has no direction: it stays one, and is near to nothing.
  return roundToHalf(Buffer.from(unit.buffer)) ?? Buffer.alloc(vector.length / 2);
}
