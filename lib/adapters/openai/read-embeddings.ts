import { invalidReply, readTokens } from '../network/read-vectors.ts';
import { decodeBase64 } from './decode-base64.ts';

/**
 * The parts of a reply that are used, as float32 little-endian bytes. `taken` are the vectors that were decoded before it was parsed, by what stands in
 * their place. Anything but a list of numbered embeddings is `invalid_reply`, transient.
 */
export function readEmbeddings(
  body: unknown,
  requestId: string | undefined,
  taken: ReadonlyMap<string, Buffer> = new Map(),
): { items: { index: number; bytes: Buffer }[]; tokens: number | undefined; model: string | undefined } {
  const data: unknown = isObject(body) ? body.data : undefined;
  if (!Array.isArray(data)) throw invalidReply(requestId);
  const items = data.map((item: unknown) => {
    if (!isObject(item) || typeof item.index !== 'number') throw invalidReply(requestId);
    return { index: item.index, bytes: readVector(item.embedding, taken) };
  });
  const { usage, model } = Object(body) as Record<string, unknown>;
  const { prompt_tokens, total_tokens } = Object(usage) as Record<string, unknown>;
  return {
    items,
    tokens: readTokens(prompt_tokens ?? total_tokens),
    model: typeof model === 'string' ? model : undefined,
  };
}

/** A vector that cannot be read is empty, so that it is refused alone and not its neighbours. Servers may answer floats though base64 was asked. */
function readVector(embedding: unknown, taken: ReadonlyMap<string, Buffer>): Buffer {
  if (typeof embedding === 'string') return taken.get(embedding) ?? decodeAlone(embedding);
  if (!Array.isArray(embedding)) return Buffer.alloc(0);
  const floats = Buffer.allocUnsafe(embedding.length * 4);
  for (const [position, value] of embedding.entries()) {
    floats.writeFloatLE(typeof value === 'number' ? value : Number.NaN, position * 4);
  }
  return floats;
}

function decodeAlone(encoded: string): Buffer {
  return decodeBase64(encoded, Buffer.allocUnsafe(Math.ceil((encoded.length * 3) / 4)));
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
