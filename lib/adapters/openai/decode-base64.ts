/** Room for all vectors of a reply: a hundred buffers of their own cost more than their bytes. */
interface Slab {
  readonly bytes: Buffer;
  used: number;
}

/**
 * The bytes, within the slab; none where the text is no base64. `write` skips what is none: then the bytes are fewer than the characters say. It also
 * reads the URL alphabet, which no server means.
 */
export function decodeBase64(encoded: string, slab: Slab): Buffer {
  const padding = encoded.endsWith('==') ? 2 : encoded.endsWith('=') ? 1 : 0;
  const start = slab.used;
  slab.used += slab.bytes.write(encoded, start, 'base64');
  const bytes = slab.bytes.subarray(start, slab.used);
  const complete = bytes.length === (encoded.length / 4) * 3 - padding;
  return complete && !encoded.includes('-') && !encoded.includes('_') ? bytes : Buffer.alloc(0);
}
