import { viewFloats } from './view-floats.ts';

/**
 * Cosine of two vectors of the same length in float32, little-endian.
 * It is 0 where one of the vectors is zero.
 */
export function cosineOf(left: Buffer, right: Buffer): number {
  const norms = normOf(left) * normOf(right);
  return norms === 0 ? 0 : dot(left, right) / norms;
}

/** Euclidean length of a vector in float32, little-endian. */
export function normOf(vector: Buffer): number {
  return Math.sqrt(dot(vector, vector));
}

function dot(left: Buffer, right: Buffer): number {
  const others = viewFloats(right);
  return viewFloats(left).reduce((sum, value, position) => sum + value * (others[position] ?? 0), 0);
}
