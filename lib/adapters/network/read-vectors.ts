import { FreshetError } from '../../core/errors/freshet-error.ts';

/**
 * Lists of floats as float32 little-endian bytes, all in one piece of memory, in the order they came. A list that is none, or holds what is no number, is
 * refused alone later on: it has no bytes, or NaN.
 */
export function readVectors(vectors: readonly unknown[]): { index: number; bytes: Buffer }[] {
  const floats = vectors.reduce<number>(
    (sum, vector) => sum + (Array.isArray(vector) ? vector.length : 0),
    0,
  );
  const slab = Buffer.allocUnsafe(floats * 4);
  let used = 0;
  return vectors.map((vector, index) => {
    const start = used;
    for (const value of Array.isArray(vector) ? (vector as unknown[]) : []) {
      used = slab.writeFloatLE(typeof value === 'number' ? value : Number.NaN, used);
    }
    return { index, bytes: slab.subarray(start, used) };
  });
}

/** Nothing rather than 0: a server that counts no tokens does not make them free. */
export function readTokens(tokens: unknown): number | undefined {
  return typeof tokens === 'number' && Number.isSafeInteger(tokens) && tokens > 0 ? tokens : undefined;
}

/** Made by the adapters for whatever cannot be read; our own words only. */
export function invalidReply(requestId: string | undefined): FreshetError {
  return new FreshetError('The provider answered something that is no list of embeddings.', {
    failureClass: 'transient',
    code: 'invalid_reply',
    requestId,
  });
}
