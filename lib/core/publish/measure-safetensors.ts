/** Bytes before the header of a safetensors file: the header's length, little-endian. */
export const SAFETENSORS_PREFIX_BYTES = 8;

/** The longest header that the safetensors format allows. */
const MAX_HEADER_BYTES = 100_000_000;

/**
 * Reads the header's length in bytes; undefined where the file is no safetensors.
 * Usually such a file is a pointer of Git LFS, which a clone without Git LFS leaves behind.
 */
export function readHeaderLength(prefix: Buffer): number | undefined {
  if (prefix.length < SAFETENSORS_PREFIX_BYTES) return undefined;
  const length = prefix.readBigUInt64LE(0);
  return length >= 2n && length <= BigInt(MAX_HEADER_BYTES) ? Number(length) : undefined;
}

/**
 * Bytes that the file needs for every tensor in its header.
 * Undefined where the header cannot be read.
 */
export function measureSafetensors(header: Buffer): number | undefined {
  let tensors: unknown;
  try {
    tensors = JSON.parse(header.toString('utf8'));
  } catch {
    return undefined;
  }
  if (typeof tensors !== 'object' || tensors === null) return undefined;
  const ends = Object.entries(tensors)
    .filter(([name]) => name !== '__metadata__')
    .map(([, tensor]) => (tensor as { data_offsets?: readonly unknown[] } | null)?.data_offsets?.[1]);
  if (ends.some(end => typeof end !== 'number')) return undefined;
  return (
    SAFETENSORS_PREFIX_BYTES +
    header.length +
    (ends as number[]).reduce((last, end) => Math.max(last, end), 0)
  );
}
