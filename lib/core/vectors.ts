/**
 * The most dimensions that pgvector's HNSW index takes of the type `vector`, by its documentation.
 * The view shows vectors of that type. Wider vectors are indexed as `halfvec`, up to 4,000.
 */
export const MAX_INDEXED_DIMENSIONS = 2000;

/** Bytes that lie in several buffers and are meant as one value. */
export class BytePieces {
  readonly pieces: readonly Buffer[];
  readonly length: number;

  constructor(pieces: readonly Buffer[]) {
    this.pieces = pieces;
    this.length = pieces.reduce((sum, piece) => sum + piece.length, 0);
  }

  /** Returns the bytes in one buffer: a copy, unless they lie in one already. */
  toBuffer(): Buffer {
    const [first] = this.pieces;
    return first !== undefined && this.pieces.length === 1 ? first : Buffer.concat(this.pieces, this.length);
  }

  /** Returns the bytes for `pg`, which calls this method on values that it does not know. */
  toPostgres(): Buffer {
    return this.toBuffer();
  }
}

/**
 * Sizes of the parts of a binary `vector[]`, in bytes.
 * PostgreSQL's `array_recv` and pgvector's `vector_recv` read, all big-endian: int32 dimensions of
 * the array (1), int32 whether it has NULLs, int32 element OID, int32 count, int32 lower bound (1);
 * then per element int32 bytes (−1: NULL), int16 dimensions, int16 0, float32 each. An empty array
 * ends after the OID, with 0 dimensions.
 */
const VECTOR_ARRAY = { headerBytes: 20, emptyBytes: 12, oidOffset: 8, elementHeaderBytes: 4 } as const;

/**
 * Checks that `array` is a binary `vector[]` and ends after its last element.
 * An element has `dimensions` where `present` says so and is NULL elsewhere.
 * @throws RangeError where the bytes are laid out otherwise
 */
export function checkVectorArray(array: Buffer, present: readonly boolean[], dimensions: number): void {
  let offset: number = present.length === 0 ? VECTOR_ARRAY.emptyBytes : VECTOR_ARRAY.headerBytes;
  if (present.length > 0) {
    expect(
      array.readInt32BE(0) === 1 && array.readInt32BE(12) === present.length && array.readInt32BE(16) === 1,
    );
    expect(array.readInt32BE(4) === (present.includes(false) ? 1 : 0));
  } else {
    expect(array.length === offset && array.readInt32BE(0) === 0);
  }
  const elementBytes = VECTOR_ARRAY.elementHeaderBytes + 4 * dimensions;
  for (const isPresent of present) {
    expect(array.readInt32BE(offset) === (isPresent ? elementBytes : -1));
    offset += 4;
    if (!isPresent) continue;
    expect(array.readInt16BE(offset) === dimensions && array.readInt16BE(offset + 2) === 0);
    offset += elementBytes;
  }
  expect(offset === array.length);
}

function expect(holds: boolean): void {
  if (!holds) throw new RangeError('The vectors are not laid out as their entries say.');
}

/**
 * Encodes vectors as PostgreSQL's binary `vector[]` in a buffer of its own.
 * `writeVectorArray` describes the layout.
 */
export function encodeVectorArray(vectors: readonly (Buffer | null)[], dimensions: number): Buffer {
  const array = Buffer.allocUnsafe(measureVectorArray(vectors, dimensions));
  writeVectorArray(array, vectors, dimensions);
  return array;
}

/** Bytes of the array that `writeVectorArray` writes. */
export function measureVectorArray(vectors: readonly (Buffer | null)[], dimensions: number): number {
  if (vectors.length === 0) return VECTOR_ARRAY.emptyBytes;
  const present = vectors.reduce((count, vector) => (vector === null ? count : count + 1), 0);
  return VECTOR_ARRAY.headerBytes + 4 * vectors.length + elementBytesOf(dimensions) * present;
}

/**
 * Writes vectors into `array` as PostgreSQL's binary `vector[]`, null as NULL.
 * The input is little-endian float32 and is left as it is; the output is big-endian. `array` must
 * have exactly the bytes that `measureVectorArray` returns. The element OID is 0 until
 * `setElementOid`, because the OID of `vector` differs between databases.
 *
 * Every field is a multiple of 4 bytes, so that all of them are laid out as little-endian words
 * first and swapped at once at the end.
 * @throws RangeError for a vector of other dimensions
 */
export function writeVectorArray(
  array: Buffer,
  vectors: readonly (Buffer | null)[],
  dimensions: number,
): void {
  if (vectors.length === 0) {
    array.fill(0);
    return;
  }
  const elementBytes = elementBytesOf(dimensions);
  const hasNulls = vectors.includes(null) ? 1 : 0;
  let offset = 0;
  for (const word of [1, hasNulls, 0, vectors.length, 1]) offset = array.writeInt32LE(word, offset);
  for (const vector of vectors) {
    if (vector === null) {
      offset = array.writeInt32LE(-1, offset);
      continue;
    }
    if (vector.length !== 4 * dimensions) {
      throw new RangeError(`A vector of ${vector.length} bytes cannot stand among ${dimensions} dimensions.`);
    }
    offset = array.writeInt32LE(elementBytes, offset);
    // int16 dimensions and int16 0, as one word.
    offset = array.writeInt32LE(dimensions * 65_536, offset);
    offset += vector.copy(array, offset);
  }
  array.swap32();
}

const elementBytesOf = (dimensions: number): number => VECTOR_ARRAY.elementHeaderBytes + 4 * dimensions;

/**
 * Writes the OID of this database's `vector` into a binary `vector[]` in place.
 * Returns the same buffer.
 */
export function setElementOid(array: Buffer, oid: number): Buffer {
  array.writeUInt32BE(oid, VECTOR_ARRAY.oidOffset);
  return array;
}

/**
 * Joins binary `vector[]` values into one.
 * `oid` is the OID of this database's `vector`. The elements keep their order and are not copied.
 */
export function joinVectorArrays(arrays: readonly Buffer[], oid: number): BytePieces {
  const filled = arrays.filter(array => array.length > VECTOR_ARRAY.emptyBytes);
  if (filled.length === 0) {
    return new BytePieces([setElementOid(Buffer.alloc(VECTOR_ARRAY.emptyBytes), oid)]);
  }
  const header = Buffer.alloc(VECTOR_ARRAY.headerBytes);
  header.writeInt32BE(1, 0);
  header.writeInt32BE(filled.some(array => array.readInt32BE(4) === 1) ? 1 : 0, 4);
  header.writeInt32BE(
    filled.reduce((count, array) => count + array.readInt32BE(12), 0),
    12,
  );
  header.writeInt32BE(1, 16);
  return new BytePieces([
    setElementOid(header, oid),
    ...filled.map(array => array.subarray(VECTOR_ARRAY.headerBytes)),
  ]);
}

const HOST_IS_LITTLE_ENDIAN = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;

/** Reads little-endian float32 as numbers: a view where memory allows it, else a copy. */
export function viewFloats(bytes: Buffer): Float32Array {
  const count = bytes.length >>> 2;
  if (HOST_IS_LITTLE_ENDIAN && bytes.byteOffset % 4 === 0) {
    return new Float32Array(bytes.buffer, bytes.byteOffset, count);
  }
  return Float32Array.from({ length: count }, (_, position) => bytes.readFloatLE(position * 4));
}

/**
 * Cosine of two vectors of the same length in float32, little-endian.
 * It is 0 where one of the vectors is zero.
 */
export function cosineOf(left: Buffer, right: Buffer): number {
  const norms = measureNorm(left) * measureNorm(right);
  return norms === 0 ? 0 : dot(left, right) / norms;
}

/** Euclidean length of a vector in float32, little-endian. */
export function measureNorm(vector: Buffer): number {
  return Math.sqrt(dot(vector, vector));
}

function dot(left: Buffer, right: Buffer): number {
  const others = viewFloats(right);
  return viewFloats(left).reduce((sum, value, position) => sum + value * (others[position] ?? 0), 0);
}
