import { Readable } from 'node:stream';
import {
  DeleteObjectsCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  type S3Client,
} from '@aws-sdk/client-s3';
import { Upload } from '@aws-sdk/lib-storage';
import { FreshetError, UsageError } from '../../core/errors.ts';
import { PART_BYTES } from '../../core/model-manifest.ts';
import type { ModelFileStore } from '../../ports/provider.ts';
import {
  allowMissing,
  callAws,
  callAwsForPerson,
  errorName,
  httpStatus,
  toAwsFailure,
} from '../aws/call-aws.ts';
import { createS3Client } from './object-store.ts';

interface ModelBucketAccess {
  readonly bucket: string;
  /** The region. Undefined: what the SDK finds in the environment and the profile. */
  readonly region?: string | undefined;
  /** A server that replaces S3, as one on this machine. */
  readonly endpoint?: string | undefined;
}

/** Time limit of one request: a part of 8 MB takes over a minute at 1 Mbit/s. */
const REQUEST_TIMEOUT_MS = 150_000;
const PARTS_AT_ONCE = 4;
/**
 * Requests of one call, repeats included.
 * A file of gigabytes must survive a connection that breaks now and then.
 */
const MAX_ATTEMPTS = 5;

/**
 * Opens a bucket that models are published into, and checks that it can be used.
 * @throws UsageError when the bucket does not exist, refuses these credentials, or lies in another
 *   region
 */
export async function openModelBucket({
  bucket,
  region,
  endpoint,
}: ModelBucketAccess): Promise<ModelFileStore & { close(): void }> {
  const client = createS3Client({
    region,
    endpoint,
    requestTimeoutMs: REQUEST_TIMEOUT_MS,
    maxAttempts: MAX_ATTEMPTS,
  });
  try {
    await client.send(new HeadBucketCommand({ Bucket: bucket }));
  } catch (error) {
    client.destroy();
    throw describeRefusal(bucket, error);
  }
  return {
    name: bucket,
    head: key => findObject(client, bucket, key),
    put: async (key, bytes, open, { signal, onSent }) => {
      const body = Readable.from(open(), { objectMode: false });
      const upload = new Upload({
        client,
        params: { Bucket: bucket, Key: key, Body: body, ContentLength: bytes, ChecksumAlgorithm: 'SHA256' },
        partSize: PART_BYTES,
        queueSize: PARTS_AT_ONCE,
      });
      const abort = () => void upload.abort();
      signal.addEventListener('abort', abort, { once: true });
      if (signal.aborted) abort();
      upload.on('httpUploadProgress', ({ loaded }) => onSent(loaded ?? 0));
      try {
        await callAws('S3', () => upload.done());
      } finally {
        signal.removeEventListener('abort', abort);
        body.destroy();
      }
    },
    close: () => client.destroy(),
  };
}

async function findObject(client: S3Client, Bucket: string, Key: string) {
  const command = new HeadObjectCommand({ Bucket, Key, ChecksumMode: 'ENABLED' });
  const find = () => client.send(command);
  const found = await callAws('S3', () => allowMissing(find, error => httpStatus(error) === 404));
  return found && { bytes: found.ContentLength ?? 0, checksum: found.ChecksumSHA256 };
}

function describeRefusal(bucket: string, error: unknown): UsageError | FreshetError {
  const status = httpStatus(error);
  if (status === 404)
    return new UsageError(
      `There is no bucket ${bucket}.`,
      'The stack of the GPU endpoint makes one and prints its name: npm run deploy -- --stage <stage>',
    );
  if (status === 403)
    return new UsageError(
      `The bucket ${bucket} is not open to these credentials.`,
      'They need s3:ListBucket on it, and s3:PutObject and s3:GetObject under the prefix.',
    );
  if (status === 301 || status === 400)
    return new UsageError(
      `The bucket ${bucket} stands in another region.`,
      'Name it with --region or AWS_REGION.',
    );
  const name = errorName(error);
  if (
    name === 'CredentialsProviderError' ||
    (error instanceof Error && /region is missing/i.test(error.message))
  )
    return new UsageError(
      `There are no AWS credentials or no region to reach the bucket ${bucket} with.`,
      'aws sso login, AWS_PROFILE or AWS_ACCESS_KEY_ID give the one, --region or AWS_REGION the other.',
    );
  return toAwsFailure('S3', error);
}

/**
 * Deletes every object of a bucket without versions.
 * Resolves with the number of deleted objects, which is 0 where the bucket no longer exists.
 */
export async function emptyBucket(client: S3Client, bucket: string): Promise<number> {
  let deleted = 0;
  for (;;) {
    const list = () => client.send(new ListObjectsV2Command({ Bucket: bucket }));
    const listed = await callAwsForPerson('s3:ListBucket', () =>
      allowMissing(list, error => errorName(error) === 'NoSuchBucket'),
    );
    const Objects = (listed?.Contents ?? []).map(({ Key }) => ({ Key: Key! }));
    if (Objects.length === 0) return deleted;
    const { Errors = [] } = await callAwsForPerson('s3:DeleteObject', () =>
      client.send(new DeleteObjectsCommand({ Bucket: bucket, Delete: { Objects, Quiet: true } })),
    );
    if (Errors.length > 0)
      throw new FreshetError(`S3 did not delete ${Errors.length} objects of ${bucket}.`, {
        failureClass: 'unknown',
        code: `aws_${Errors[0]!.Code ?? 'DeleteObjects'}`,
      });
    deleted += Objects.length;
  }
}
