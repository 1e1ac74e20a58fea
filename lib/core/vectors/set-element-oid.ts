import { VECTOR_ARRAY } from './vector-array-layout.ts';

/**
 * Writes the OID of this database's `vector` into a binary `vector[]` in place.
 * Returns the same buffer.
 */
export function setElementOid(array: Buffer, oid: number): Buffer {
  array.writeUInt32BE(oid, VECTOR_ARRAY.oidOffset);
  return array;
}
