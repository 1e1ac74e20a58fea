import { createHash } from 'node:crypto';
import {
  GetObjectCommand,
  type GetObjectCommandOutput,
  PutObjectCommand,
  type S3Client,
} from '@aws-sdk/client-s3';
import { FreshetError } from '../../core/errors/freshet-error.ts';
import { isResultKey } from '../../core/result/is-result-key.ts';
import type { ObjectStore } from '../../ports/object-store.ts';
import { attemptsOf, errorName, httpStatus, toAwsFailure } from '../aws/to-aws-failure.ts';
import { readBody } from './read-body.ts';
import { createUnsettledPuts } from './unsettled-puts.ts';

/**
 * Size limit of an object: far above the largest result, which is a batch of vectors.
 * A function's memory can hold two objects of this size.
 */
const MAX_OBJECT_BYTES = 64 * 1024 * 1024;

/** Time limit of a put or get: below the shortest time limit of a function. */
const TIMEOUT_MS = 30_000;

/**
 * Our own tries, for two cases that the SDK does not repeat.
 * S3 answers a put with 409, or a body breaks off.
 */
const MAX_TRIES = 3;

/**
 * Creates a store for the objects of one bucket under `claims/`, each put once.
 * Every rejection of its methods is a `FreshetError`.
 */
export function createS3ObjectStore(options: {
  readonly client: S3Client;
  readonly bucket: string;
  readonly maxObjectBytes?: number | undefined;
  /** Time limit of a whole put or get, repeats included. Default 30 s. */
  readonly timeoutMs?: number | undefined;
}): ObjectStore {
  const { client, bucket: Bucket, maxObjectBytes = MAX_OBJECT_BYTES, timeoutMs = TIMEOUT_MS } = options;
  const unsettled = createUnsettledPuts();

  const putOnce = async (
    Key: string,
    body: Buffer,
    digest: string,
    deadline: AbortSignal,
  ): Promise<'done' | 'conflict'> => {
    try {
      const input = { Bucket, Key, Body: body, ChecksumSHA256: digest, IfNoneMatch: '*' };
      await client.send(new PutObjectCommand(input), { abortSignal: deadline });
      return 'done';
    } catch (error) {
      if (httpStatus(error) === 412) {
        // No other attempt has this key. The object is therefore from an earlier request of ours
        // whose answer was lost.
        if (attemptsOf(error) > 1 || unsettled.has(Key, digest)) return 'done';
        throw foreignObject();
      }
      const failure = toAwsFailure('S3', error);
      if (failure.failureClass !== 'stop') unsettled.add(Key, digest);
      if (httpStatus(error) === 409) return 'conflict';
      throw failure;
    }
  };

  return {
    async put(key, body) {
      requireKey(key);
      requireSize(body.length, maxObjectBytes);
      const deadline = AbortSignal.timeout(timeoutMs);
      const digest = createHash('sha256').update(body).digest('base64');
      for (let attempt = 1; attempt <= MAX_TRIES; attempt += 1) {
        if ((await putOnce(key, body, digest, deadline)) === 'conflict') continue;
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
      const deadline = AbortSignal.timeout(timeoutMs);
      for (let attempt = 1; ; attempt += 1) {
        const answer = await getAnswer(client, { Bucket, Key: key }, deadline);
        if (answer === undefined) return undefined;
        try {
          return await readBody(answer, maxObjectBytes);
        } catch (error) {
          const failure = toAwsFailure('S3', error);
          const last = attempt === MAX_TRIES || deadline.aborted;
          if (failure.failureClass !== 'transient' || last) throw failure;
        }
      }
    },
  };
}

/**
 * Starts reading an object; undefined where S3 says that there is none.
 * S3 says so only to those who may list the bucket.
 */
async function getAnswer(
  client: S3Client,
  place: { readonly Bucket: string; readonly Key: string },
  deadline: AbortSignal,
): Promise<GetObjectCommandOutput | undefined> {
  try {
    return await client.send(new GetObjectCommand({ ...place, ChecksumMode: 'ENABLED' }), {
      abortSignal: deadline,
    });
  } catch (error) {
    if (errorName(error) === 'NoSuchKey') return undefined;
    throw toAwsFailure('S3', error);
  }
}

function requireKey(key: string): void {
  if (isResultKey(key)) return;
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
