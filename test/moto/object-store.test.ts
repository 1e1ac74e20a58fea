import { randomUUID } from 'node:crypto';
import { CreateBucketCommand } from '@aws-sdk/client-s3';
import { describe, expect, test } from 'vitest';
import { createS3Client, createS3ObjectStore } from '../../lib/adapters/s3/object-store.ts';
import { describeObjectStoreContract } from '../contracts/describe-object-store-contract.ts';
import { MOTO_ACCESS } from './moto-access.ts';

const client = createS3Client(MOTO_ACCESS);

async function openStore() {
  const bucket = `claims-${randomUUID()}`;
  await client.send(new CreateBucketCommand({ Bucket: bucket }));
  return createS3ObjectStore({ client, bucket });
}

describeObjectStoreContract('S3 (moto)', openStore);

describe('S3 (moto)', () => {
  test('does not write over an object that stands there already', async () => {
    const store = await openStore();
    await store.put('claims/taken', Buffer.from('first'));

    const second = store.put('claims/taken', Buffer.from('second'));

    await expect(second).rejects.toMatchObject({ name: 'FreshetError', code: 'aws_http_412' });
    expect((await store.get('claims/taken'))?.toString()).toBe('first');
  });

  test('stops at a bucket that does not exist', async () => {
    const store = createS3ObjectStore({ client, bucket: `nowhere-${randomUUID()}` });

    for (const call of [() => store.get('claims/a'), () => store.put('claims/a', Buffer.from('a'))])
      await expect(call()).rejects.toMatchObject({ failureClass: 'stop', code: 'aws_NoSuchBucket' });
  });
});
