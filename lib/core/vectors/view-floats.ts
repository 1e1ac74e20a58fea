const HOST_IS_LITTLE_ENDIAN = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;

/** Reads little-endian float32 as numbers: a view where memory allows it, else a copy. */
export function viewFloats(bytes: Buffer): Float32Array {
  const count = bytes.length >>> 2;
  if (HOST_IS_LITTLE_ENDIAN && bytes.byteOffset % 4 === 0) {
    return new Float32Array(bytes.buffer, bytes.byteOffset, count);
  }
  return Float32Array.from({ length: count }, (_, position) => bytes.readFloatLE(position * 4));
}
