import { describe, expect, test } from 'vitest';
import type { ObjectStore } from '../../lib/ports/queues.ts';

/** For every adapter of the port; `open` gives a store in which nothing starts with `claims/contract/`. */
export function describeObjectStoreContract(name: string, open: () => Promise<ObjectStore>): void {
  describe(`${name} as an object store`, () => {
    test('gives back the bytes that were put', async () => {
      const store = await open();
      const body = Buffer.from([0, 255, 10, 13, 0]);

      await store.put('claims/contract/bytes', body);

      expect(await store.get('claims/contract/bytes')).toEqual(body);
    });

    test('has nothing under a key that was never put', async () => {
      const store = await open();

      expect(await store.get('claims/contract/missing')).toBeUndefined();
    });

    test('keeps what was put whatever becomes of the buffer', async () => {
      const store = await open();
      const body = Buffer.from('before');

      await store.put('claims/contract/copied', body);
      body.write('after!');

      expect((await store.get('claims/contract/copied'))?.toString()).toBe('before');
    });

    test('removes an object, and says nothing of one that is gone', async () => {
      const store = await open();
      await store.put('claims/contract/removed', Buffer.from('once'));

      await store.remove('claims/contract/removed');
      await store.remove('claims/contract/removed');

      expect(await store.get('claims/contract/removed')).toBeUndefined();
    });

    test('holds objects of several megabytes', async () => {
      const store = await open();
      const body = Buffer.alloc(6_000_000, 7);

      await store.put('claims/contract/large', body);

      expect((await store.get('claims/contract/large'))?.equals(body)).toBe(true);
    });
  });
}
