import { CreateBucketCommand, ListObjectsV2Command, PutObjectCommand } from '@aws-sdk/client-s3';
import type { FauxqsServer } from 'fauxqs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { emptyBucket } from '../../../lib/adapters/s3/model-bucket.ts';
import { createS3Client } from '../../../lib/adapters/s3/object-store.ts';
import { startFauxqs } from '../../servers/start-fauxqs.ts';

/** Connections. */
const AT_ONCE = 40;

let server: FauxqsServer;
let client: ReturnType<typeof createS3Client>;
beforeAll(async () => {
  const started = await startFauxqs();
  server = started.server;
  client = createS3Client(started.access);
  await client.send(new CreateBucketCommand({ Bucket: 'claims' }));
});
afterAll(() => server.stop());

test('a bucket is emptied over several pages, and is empty already the second time', async () => {
  const keys = Array.from({ length: 1005 }, (_, index) => `claims/${index}`);
  const put = (Key: string) => client.send(new PutObjectCommand({ Bucket: 'claims', Key, Body: 'x' }));
  while (keys.length > 0) await Promise.all(keys.splice(0, AT_ONCE).map(put));

  expect(await emptyBucket(client, 'claims')).toBe(1005);
  const { KeyCount } = await client.send(new ListObjectsV2Command({ Bucket: 'claims' }));
  expect(KeyCount).toBe(0);
  expect(await emptyBucket(client, 'claims')).toBe(0);
});

test('a bucket that is gone is as good as empty', async () => {
  expect(await emptyBucket(client, 'no-such-bucket')).toBe(0);
});
