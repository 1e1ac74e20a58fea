import { viewFloats } from './view-floats.ts';

/** Of two vectors of the same length in float32, little-endian; 0 where one of them has no length. */
export function cosineOf(left: Buffer, right: Buffer): number {
  const norms = normOf(left) * normOf(right);
  return norms === 0 ? 0 : dot(left, right) / norms;
}

export function normOf(vector: Buffer): number {
  return Math.sqrt(dot(vector, vector));
}

function dot(left: Buffer, right: Buffer): number {
  const others = viewFloats(right);
  return viewFloats(left).reduce((sum, value, position) => sum + value * (others[position] ?? 0), 0);
}
