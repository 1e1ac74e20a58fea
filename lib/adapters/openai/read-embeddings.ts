import { invalidReply, readTokens } from '../network/read-vectors.ts';

/** The parts of a reply that are used, as float32 little-endian bytes. Anything but a list of numbered embeddings is `invalid_reply`, transient. */
export function readEmbeddings(
  body: unknown,
  requestId: string | undefined,
): { items: { index: number; bytes: Buffer }[]; tokens: number | undefined; model: string | undefined } {
  const data: unknown = isObject(body) ? body.data : undefined;
  if (!Array.isArray(data)) throw invalidReply(requestId);
  const slab = createSlab(data);
  const items = data.map((item: unknown) => {
    if (!isObject(item) || typeof item.index !== 'number') throw invalidReply(requestId);
    return { index: item.index, bytes: readVector(item.embedding, slab) };
  });
  const { usage, model } = Object(body) as Record<string, unknown>;
  const { prompt_tokens, total_tokens } = Object(usage) as Record<string, unknown>;
  return {
    items,
    tokens: readTokens(prompt_tokens ?? total_tokens),
    model: typeof model === 'string' ? model : undefined,
  };
}

interface Slab {
  readonly bytes: Buffer;
  used: number;
}

/** Room for all vectors of a reply: a hundred buffers of their own cost more than their bytes. */
function createSlab(data: readonly unknown[]): Slab {
  let length = 0;
  for (const item of data) {
    if (isObject(item) && typeof item.embedding === 'string')
      length += Math.ceil((item.embedding.length * 3) / 4);
  }
  return { bytes: Buffer.allocUnsafe(length), used: 0 };
}

/** A vector that cannot be read is empty, so that it is refused alone and not its neighbours. Servers may answer floats though base64 was asked. */
function readVector(embedding: unknown, slab: Slab): Buffer {
  if (typeof embedding === 'string') return decodeBase64(embedding, slab);
  if (!Array.isArray(embedding)) return Buffer.alloc(0);
  const floats = Buffer.allocUnsafe(embedding.length * 4);
  for (const [position, value] of embedding.entries()) {
    floats.writeFloatLE(typeof value === 'number' ? value : Number.NaN, position * 4);
  }
  return floats;
}

/** `write` skips what is no base64: then the bytes are fewer than the characters say. It also reads the URL alphabet, which no server means. */
function decodeBase64(encoded: string, slab: Slab): Buffer {
  const padding = encoded.endsWith('==') ? 2 : encoded.endsWith('=') ? 1 : 0;
  const start = slab.used;
  slab.used += slab.bytes.write(encoded, start, 'base64');
  const bytes = slab.bytes.subarray(start, slab.used);
  const complete = bytes.length === (encoded.length / 4) * 3 - padding;
  return complete && !encoded.includes('-') && !encoded.includes('_') ? bytes : Buffer.alloc(0);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
