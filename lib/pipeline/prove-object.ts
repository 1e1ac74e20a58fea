import { sha256Hex } from '../core/result/sha256-hex.ts';
import type { ObjectStore } from '../ports/object-store.ts';

/** Tells one object from another; that it is whole needs no proof where it cannot have been changed. */
const SEALED_BYTES = 4096;

/** What an announcement says of a body, so that the writer can tell the object that was announced, whole: its SHA-256, of a sealed store's bodies that of their beginning. */
export function proveObject(objects: ObjectStore, body: Buffer): string {
  return sha256Hex(objects.sealed ? body.subarray(0, SEALED_BYTES) : body);
}
