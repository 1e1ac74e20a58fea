import { createHash } from 'node:crypto';
import {
  GetObjectCommand,
  type GetObjectCommandOutput,
  PutObjectCommand,
  type S3Client,
} from '@aws-sdk/client-s3';
import { FreshetError } from '../../core/errors/freshet-error.ts';
import type { ObjectStore } from '../../ports/object-store.ts';
import { attemptsOf, errorName, httpStatus, toAwsFailure } from '../aws/to-aws-failure.ts';
import { readBody } from './read-body.ts';
import { createUnsettledPuts } from './unsettled-puts.ts';

/** The functions may touch no other keys; a key that comes with a message is believed only as far as this. */
const KEY = /^claims\/[A-Za-z0-9._/-]{1,1000}$/;

/** Far above the largest result (a batch of vectors), and within a function's memory twice over. */
const MAX_OBJECT_BYTES = 64 * 1024 * 1024;

/** Tries of our own: for a put that S3 answers with 409, and for a body that broke off, which the SDK does not repeat. */
const MAX_TRIES = 3;

/** Objects of one bucket under `claims/`, each put once. Every rejection is a `FreshetError`. */
export function createS3ObjectStore(options: {
  readonly client: S3Client;
  readonly bucket: string;
  readonly maxObjectBytes?: number | undefined;
}): ObjectStore {
  const { client, bucket: Bucket, maxObjectBytes = MAX_OBJECT_BYTES } = options;
  const unsettled = createUnsettledPuts();

  const putOnce = async (Key: string, body: Buffer, digest: string): Promise<'done' | 'conflict'> => {
    try {
      const IfNoneMatch = '*';
      await client.send(
        new PutObjectCommand({ Bucket, Key, Body: body, ChecksumSHA256: digest, IfNoneMatch }),
      );
      return 'done';
    } catch (error) {
      // The key is this attempt's alone: what stands there is what an earlier request of ours left, whose answer was lost.
      if (httpStatus(error) === 412 && (attemptsOf(error) > 1 || unsettled.has(Key, digest))) return 'done';
      unsettled.add(Key, digest);
      if (httpStatus(error) === 409) return 'conflict';
      throw httpStatus(error) === 412 ? foreignObject() : toAwsFailure('S3', error);
    }
  };

  return {
    async put(key, body) {
      requireKey(key);
      requireSize(body.length, maxObjectBytes);
      const digest = createHash('sha256').update(body).digest('base64');
      for (let attempt = 1; attempt <= MAX_TRIES; attempt += 1) {
        if ((await putOnce(key, body, digest)) === 'conflict') continue;
        unsettled.delete(key);
        return;
      }
      throw new FreshetError('S3 met other writes of the same key (aws_http_409): it is tried again.', {
        failureClass: 'transient',
        code: 'aws_http_409',
      });
    },
    async get(key) {
      requireKey(key);
      for (let attempt = 1; ; attempt += 1) {
        const answer = await getAnswer(client, Bucket, key);
        if (answer === undefined) return undefined;
        try {
          return await readBody(answer, maxObjectBytes);
        } catch (error) {
          const failure = toAwsFailure('S3', error);
          if (failure.failureClass !== 'transient' || attempt === MAX_TRIES) throw failure;
        }
      }
    },
  };
}

/** Undefined where S3 says that there is no such object, which it does to those alone who may list the bucket. */
async function getAnswer(
  client: S3Client,
  Bucket: string,
  Key: string,
): Promise<GetObjectCommandOutput | undefined> {
  try {
    return await client.send(new GetObjectCommand({ Bucket, Key, ChecksumMode: 'ENABLED' }));
  } catch (error) {
    if (errorName(error) === 'NoSuchKey') return undefined;
    throw toAwsFailure('S3', error);
  }
}

function requireKey(key: string): void {
  if (KEY.test(key) && !key.split('/').includes('..')) return;
  throw new FreshetError(
    'An object key does not begin with "claims/", or holds characters that ours never do.',
    {
      failureClass: 'unknown',
      code: 'invalid_object_key',
    },
  );
}

function requireSize(bytes: number, maxObjectBytes: number): void {
  if (bytes <= maxObjectBytes) return;
  throw new FreshetError(`An object of ${bytes} bytes is over the limit of ${maxObjectBytes}.`, {
    failureClass: 'unknown',
    code: 'object_too_large',
  });
}

function foreignObject(): FreshetError {
  return new FreshetError('Another object stands under a key that was drawn for this one (aws_http_412).', {
    failureClass: 'unknown',
    code: 'aws_http_412',
  });
}
