import type { VectorStorage } from './model.ts';

/** The most dimensions that pgvector's HNSW index takes of a type, by its documentation. */
export function maxIndexedDimensions(storage: VectorStorage): number {
  return storage === 'halfvec' ? 4000 : 2000;
}

/** pgvector's operator class of an index for distances by cosine. */
export function cosineOperatorClass(storage: VectorStorage): string {
  return `${storage ?? 'vector'}_cosine_ops`;
}

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
 * Sizes of the parts of a binary `vector[]` or `halfvec[]`, in bytes.
 * PostgreSQL's `array_recv` and pgvector's `vector_recv` read, all big-endian: int32 dimensions of
 * the array (1), int32 whether it has NULLs, int32 element OID, int32 count, int32 lower bound (1);
 * then per element int32 bytes (−1: NULL), int16 dimensions, int16 0, float32 each (`halfvec_recv`:
 * float16 each). An empty array ends after the OID, with 0 dimensions.
 */
const VECTOR_ARRAY = { headerBytes: 20, emptyBytes: 12, oidOffset: 8, elementHeaderBytes: 4 } as const;

/**
 * Checks that `array` is a binary array of the storage's type and ends after its last element.
 * An element has `dimensions` where `present` says so and is NULL elsewhere.
 * @throws RangeError where the bytes are laid out otherwise
 */
export function checkVectorArray(
  array: Buffer,
  present: readonly boolean[],
  dimensions: number,
  storage?: VectorStorage,
): void {
  let offset: number = present.length === 0 ? VECTOR_ARRAY.emptyBytes : VECTOR_ARRAY.headerBytes;
  if (present.length > 0) {
    expect(
      array.readInt32BE(0) === 1 && array.readInt32BE(12) === present.length && array.readInt32BE(16) === 1,
    );
    expect(array.readInt32BE(4) === (present.includes(false) ? 1 : 0));
  } else {
    expect(array.length === offset && array.readInt32BE(0) === 0);
  }
  const elementBytes = elementBytesOf(dimensions, storage);
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
 * Encodes vectors as PostgreSQL's binary array in a buffer of its own.
 * `writeVectorArray` describes the layout.
 */
export function encodeVectorArray(
  vectors: readonly (Buffer | null)[],
  dimensions: number,
  storage?: VectorStorage,
): Buffer {
  const array = Buffer.allocUnsafe(measureVectorArray(vectors, dimensions, storage));
  writeVectorArray(array, vectors, dimensions, storage);
  return array;
}

/** Bytes of the array that `writeVectorArray` writes. */
export function measureVectorArray(
  vectors: readonly (Buffer | null)[],
  dimensions: number,
  storage?: VectorStorage,
): number {
  if (vectors.length === 0) return VECTOR_ARRAY.emptyBytes;
  const present = vectors.reduce((count, vector) => (vector === null ? count : count + 1), 0);
  return VECTOR_ARRAY.headerBytes + 4 * vectors.length + elementBytesOf(dimensions, storage) * present;
}

/**
 * Writes vectors into `array` as PostgreSQL's binary `vector[]` or `halfvec[]`, null as NULL.
 * The input is little-endian float32, or float16 for `halfvec`, and is left as it is; the output is
 * big-endian. `array` must have exactly the bytes that `measureVectorArray` returns. The element
 * OID is 0 until `setElementOid`, because the OIDs of pgvector's types differ between databases.
 *
 * The fields are laid out as little-endian words as wide as a component and swapped at once at the
 * end: every field is a multiple of that width.
 * @throws RangeError for a vector of other dimensions
 */
export function writeVectorArray(
  array: Buffer,
  vectors: readonly (Buffer | null)[],
  dimensions: number,
  storage?: VectorStorage,
): void {
  if (vectors.length === 0) {
    array.fill(0);
    return;
  }
  const isHalf = storage === 'halfvec';
  const elementBytes = elementBytesOf(dimensions, storage);
  const hasNulls = vectors.includes(null) ? 1 : 0;
  // An int32 in words of two bytes: the upper word first, each of them little-endian.
  const writeWord = (word: number, at: number) =>
    array.writeInt32LE(isHalf ? (word >>> 16) | (word << 16) : word, at);
  let offset = 0;
  for (const word of [1, hasNulls, 0, vectors.length, 1]) offset = writeWord(word, offset);
  for (const vector of vectors) {
    if (vector === null) {
      offset = writeWord(-1, offset);
      continue;
    }
    if (vector.length !== elementBytes - VECTOR_ARRAY.elementHeaderBytes) {
      throw new RangeError(`A vector of ${vector.length} bytes cannot stand among ${dimensions} dimensions.`);
    }
    offset = writeWord(elementBytes, offset);
    // int16 dimensions and int16 0, as one word.
    offset = writeWord(dimensions * 65_536, offset);
    offset += vector.copy(array, offset);
  }
  if (isHalf) array.swap16();
  else array.swap32();
}

const elementBytesOf = (dimensions: number, storage: VectorStorage): number =>
  VECTOR_ARRAY.elementHeaderBytes + (storage === 'halfvec' ? 2 : 4) * dimensions;

/**
 * Writes the OID of this database's `vector` or `halfvec` into a binary array of it in place.
 * Returns the same buffer.
 */
export function setElementOid(array: Buffer, oid: number): Buffer {
  array.writeUInt32BE(oid, VECTOR_ARRAY.oidOffset);
  return array;
}

/**
 * Joins binary arrays of vectors into one.
 * `oid` is the OID of their type in this database. The elements keep their order and are not
 * copied.
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

/**
 * Splits a binary array of vectors into arrays of one element each, in order.
 * The elements are copied: this is for the few arrays of which an element cannot be written.
 */
export function splitVectorArray(array: Buffer): Buffer[] {
  const arrays: Buffer[] = [];
  for (let offset: number = VECTOR_ARRAY.headerBytes; offset < array.length; ) {
    const bytes = array.readInt32BE(offset);
    const end = offset + 4 + Math.max(0, bytes);
    const single = Buffer.concat([array.subarray(0, VECTOR_ARRAY.headerBytes), array.subarray(offset, end)]);
    single.writeInt32BE(bytes === -1 ? 1 : 0, 4);
    single.writeInt32BE(1, 12);
    arrays.push(single);
    offset = end;
  }
  return arrays;
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
