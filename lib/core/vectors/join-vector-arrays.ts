import { BytePieces } from './byte-pieces.ts';
import { setElementOid } from './set-element-oid.ts';
import { VECTOR_ARRAY } from './vector-array-layout.ts';

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
