import { sha256Hex } from '../core/result/sha256-hex.ts';
import type { ObjectStore } from '../ports/object-store.ts';

/**
 * Bytes of a sealed object that are hashed: enough to tell one object from another.
 * A sealed object cannot have been changed, so that nothing has to prove it whole.
 */
const SEALED_BYTES = 4096;

/**
 * The hash by which the writer knows an announced object again, hexadecimal.
 * The hash is the SHA-256 of the whole body, so that it also proves the object whole. For a sealed
 * store it is the SHA-256 of the body's first `SEALED_BYTES` bytes.
 */
export function proveObject(objects: ObjectStore, body: Buffer): string {
  return sha256Hex(objects.sealed ? body.subarray(0, SEALED_BYTES) : body);
}
