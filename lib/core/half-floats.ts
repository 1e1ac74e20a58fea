import { viewFloats } from './vectors.ts';

/** The code of a text whose vector is none of half floats. */
export const HALF_RANGE_CODE = 'half_range';

/**
 * Rounds a vector to half floats, as pgvector rounds a `vector` to a `halfvec`.
 * In: float32, little-endian, which is left as it is. Out: float16, little-endian, to the nearest,
 * ties to even. Undefined where a component is beyond ±65,504, so that pgvector would refuse the
 * vector, and where all of them become zero, so that it would have no cosine.
 * `isNative`: whether the runtime has `Float16Array`; Node has it from version 24 on.
 */
export function roundToHalf(vector: Buffer, isNative = NATIVE !== undefined): Buffer | undefined {
  const floats = viewFloats(vector);
  const half = Buffer.allocUnsafe(2 * floats.length);
  if (NATIVE !== undefined && isNative) new NATIVE(half.buffer, half.byteOffset, floats.length).set(floats);
  else roundEach(floats, half);
  let isZero = true;
  for (let offset = 0; offset < half.length; offset += 2) {
    // The sign is left out. A rounding to infinity has all bits of the exponent set.
    const magnitude = half[offset]! | ((half[offset + 1]! & 0x7f) << 8);
    if (magnitude >= INFINITE_HALF) return undefined;
    if (magnitude !== 0) isZero = false;
  }
  return isZero ? undefined : half;
}

interface HalfArray {
  set(values: ArrayLike<number>): void;
}

type HalfArrayConstructor = new (buffer: ArrayBufferLike, byteOffset: number, length: number) => HalfArray;

/** The runtime's own array of half floats, where the host's byte order is that of the result. */
const NATIVE: HalfArrayConstructor | undefined =
  new Uint8Array(Uint16Array.of(1).buffer)[0] === 1
    ? (globalThis as { Float16Array?: HalfArrayConstructor }).Float16Array
    : undefined;

/** The bits of an infinite half float without its sign. */
const INFINITE_HALF = 0x7c00;

function roundEach(floats: Float32Array, half: Buffer): void {
  const bits = new Uint32Array(floats.buffer, floats.byteOffset, floats.length);
  for (let position = 0; position < bits.length; position += 1)
    half.writeUInt16LE(roundBits(bits[position]!), 2 * position);
}

/**
 * Rounds the bits of a float32 to those of a float16, both of IEEE 754.
 * A float32 has 8 bits of exponent (bias 127) and 23 of fraction, a float16 has 5 (bias 15) and 10.
 * Where the fraction carries over, the exponent rises by one, up to infinity.
 */
function roundBits(bits: number): number {
  const sign = (bits >>> 16) & 0x8000;
  const magnitude = bits & 0x7fff_ffff;
  // 65,536 and more, infinity and NaN: no half float, and none needs to be told from another.
  if (magnitude >= 0x4780_0000) return sign | INFINITE_HALF;
  // From 2⁻¹⁴ on the half float is normal: the exponent changes its bias, 13 bits go.
  if (magnitude >= 0x3880_0000) return sign | shiftToNearest(magnitude - 0x3800_0000, 13);
  // Below half of the least half float, 2⁻²⁴, nothing is left.
  if (magnitude < 0x3300_0000) return sign;
  // Without an exponent, the fraction counts in steps of 2⁻²⁴ and has its leading 1 in it.
  const fraction = (magnitude & 0x7f_ffff) | 0x80_0000;
  return sign | shiftToNearest(fraction, 126 - (magnitude >>> 23));
}

/** Shifts right and rounds to the nearest, ties to even. */
function shiftToNearest(value: number, shift: number): number {
  const kept = value >>> shift;
  const rest = value & ((1 << shift) - 1);
  const half = 1 << (shift - 1);
  return rest > half || (rest === half && (kept & 1) === 1) ? kept + 1 : kept;
}
