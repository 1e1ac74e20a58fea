import type { ObjectStore } from '../../ports/object-store.ts';

export interface InProcessObjectStore extends ObjectStore {
  /** For a runner that has read an object for the last time. */
  remove(key: string): void;
}

/** Objects live as long as the process. Bodies are copied on the way in: what the caller does to its buffer later changes nothing. */
export function createInProcessObjectStore(): InProcessObjectStore {
  const objects = new Map<string, Buffer>();
  return {
    async put(key, body) {
      objects.set(key, Buffer.from(body));
    },
    async get(key) {
      const body = objects.get(key);
      return body && Buffer.from(body);
    },
    remove(key) {
      objects.delete(key);
    },
  };
}
