import { expect, test } from 'vitest';
import { createInProcessObjectStore } from '../../../lib/adapters/in-process.ts';
import { describeObjectStoreContract } from '../../contracts/describe-object-store-contract.ts';

describeObjectStoreContract('the in-process store', async () => createInProcessObjectStore());

test('a sealed store keeps a body as it is, in the memory where it lies', async () => {
  const store = createInProcessObjectStore({ sealed: true });
  const body = Buffer.from('vectors');
  await store.put('claims/1/a/b', body);
  expect(await store.get('claims/1/a/b')).toBe(body);
});
