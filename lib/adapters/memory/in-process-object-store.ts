import type { ObjectStore } from '../../ports/object-store.ts';

interface InProcessObjectStore extends ObjectStore {
  /** For a runner that has read an object for the last time. */
  remove(key: string): void;
}

/**
 * Objects live as long as the process. Bodies are copied on the way in: what the caller does to its buffer later changes nothing.
 * `sealed` where nobody else can reach them, and who puts a body there leaves it alone: then it is kept as it is.
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
