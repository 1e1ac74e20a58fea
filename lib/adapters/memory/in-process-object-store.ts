import type { ObjectStore } from '../../ports/queues.ts';

interface InProcessObjectStore extends ObjectStore {
  /** Removes an object that its reader needs no more. */
  remove(key: string): void;
}

/**
 * Creates an object store that lives as long as the process.
 * Bodies are copied on the way in, so that later changes of the caller's buffer have no effect.
 * With `sealed` they are kept as they are: nobody else can reach the objects, and the caller leaves
 * the body alone.
 */
export function createInProcessObjectStore(options: { readonly sealed?: true } = {}): InProcessObjectStore {
  const objects = new Map<string, Buffer>();
  return {
    ...options,
    async put(key, body) {
      objects.set(key, options.sealed ? body : Buffer.from(body));
    },
    async get(key) {
      return objects.get(key);
    },
    remove(key) {
      objects.delete(key);
    },
  };
}
