import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createS3Client, createS3ObjectStore } from '../../../lib/adapters/s3/object-store.ts';
import { describeObjectStoreContract } from '../../contracts/describe-object-store-contract.ts';
import { startFauxqs } from '../../servers/start-fauxqs.ts';

const BUCKET = 'claims-bucket';

let fauxqs: Awaited<ReturnType<typeof startFauxqs>>;
let client: ReturnType<typeof createS3Client>;
beforeAll(async () => {
  fauxqs = await startFauxqs();
  fauxqs.server.createBucket(BUCKET);
  client = createS3Client(fauxqs.access);
});
afterAll(async () => {
  client.destroy();
  await fauxqs.server.stop();
});

describeObjectStoreContract('S3 (fauxqs)', async () => {
  fauxqs.server.emptyBucket(BUCKET);
  return createS3ObjectStore({ client, bucket: BUCKET });
});

describe('S3 (fauxqs)', () => {
  test('stops at a bucket that does not exist', async () => {
    const store = createS3ObjectStore({ client, bucket: 'no-such-bucket' });

    for (const call of [() => store.get('claims/a'), () => store.put('claims/a', Buffer.from('a'))])
      await expect(call()).rejects.toMatchObject({
        name: 'FreshetError',
        failureClass: 'stop',
        code: 'aws_NoSuchBucket',
      });
  });

  test.each(['other/a', '/claims/a', 'claims/', 'claims/../a', 'claims/a b', 'claims/ä', ''])(
    'reads and writes no key but those under claims/ (%j)',
    async key => {
      const store = createS3ObjectStore({ client, bucket: BUCKET });

      for (const call of [() => store.get(key), () => store.put(key, Buffer.from('a'))])
        await expect(call()).rejects.toMatchObject({ name: 'FreshetError', code: 'invalid_object_key' });
    },
  );

  test('refuses an object over its limit on the way in and on the way out', async () => {
    const wide = createS3ObjectStore({ client, bucket: BUCKET });
    const narrow = createS3ObjectStore({ client, bucket: BUCKET, maxObjectBytes: 10 });
    await wide.put('claims/eleven', Buffer.alloc(11));

    for (const call of [() => narrow.get('claims/eleven'), () => narrow.put('claims/more', Buffer.alloc(11))])
      await expect(call()).rejects.toMatchObject({ name: 'FreshetError', code: 'object_too_large' });
  });
});
