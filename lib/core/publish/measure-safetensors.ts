/** The header's length, 8 bytes with the low one first, comes before everything else. */
export const SAFETENSORS_PREFIX_BYTES = 8;

/** The format's own bound. */
const MAX_HEADER_BYTES = 100_000_000;

/** Undefined: this is no file of safetensors. A pointer of Git LFS, which a clone without it leaves behind, is the usual case. */
export function readHeaderLength(prefix: Buffer): number | undefined {
  if (prefix.length < SAFETENSORS_PREFIX_BYTES) return undefined;
  const length = prefix.readBigUInt64LE(0);
  return length >= 2n && length <= BigInt(MAX_HEADER_BYTES) ? Number(length) : undefined;
}

/** How long the file must be for every tensor that its header names; undefined: the header cannot be read. */
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
