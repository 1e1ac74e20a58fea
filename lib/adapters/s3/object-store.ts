import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import {
  DeleteObjectCommand,
  GetObjectCommand,
  type GetObjectCommandOutput,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { FreshetError } from '../../core/errors.ts';
import { CLAIMS_PREFIX, isResultKey } from '../../core/result-object.ts';
import type { ObjectStore } from '../../ports/queues.ts';
import { allowMissing, attemptsOf, callAws, errorName, httpStatus, toAwsFailure } from '../aws/call-aws.ts';
import { type ClientAccess, clientSettings } from '../aws/client-settings.ts';

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
 * Creates a store for the objects of one bucket under `claims/`, each put once and removed once.
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
        const answer = await startReading(client, { Bucket, Key: key }, deadline);
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
    async remove(Key) {
      requireKey(Key);
      const abortSignal = AbortSignal.timeout(timeoutMs);
      await callAws('S3', () => client.send(new DeleteObjectCommand({ Bucket, Key }), { abortSignal }));
    },
  };
}

/**
 * Creates a client of S3 for objects of a few megabytes.
 * Such an object takes well below a second.
 */
export function createS3Client(access: ClientAccess): S3Client {
  return new S3Client({
    ...clientSettings(access, { requestTimeoutMs: 8_000 }),
    // A server given by its address has no host names of buckets.
    forcePathStyle: access.endpoint !== undefined,
    // Bodies over 2 MB would otherwise wait for "100 Continue", each on a connection of its own.
    expectContinueHeader: false,
  });
}

function requireKey(key: string): void {
  if (isResultKey(key)) return;
  throw new FreshetError(
    `An object key does not begin with "${CLAIMS_PREFIX}", or holds characters that ours never do.`,
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

/**
 * Number of puts that are remembered: far more than one function has under way.
 * Beyond this number the oldest are forgotten. A repeat of a forgotten put fails instead of being
 * taken for done.
 */
const MAX_REMEMBERED = 1_000;

/**
 * Remembers failed puts whose object may be there nevertheless, by key and digest.
 * When S3 refuses the repeat of such a put because the object exists, the object has the same
 * bytes. The function needs no right to read the bucket for that conclusion.
 */
function createUnsettledPuts() {
  const digests = new Map<string, string>();
  return {
    add(key: string, digest: string): void {
      digests.delete(key);
      digests.set(key, digest);
      const [oldest] = digests.keys();
      if (digests.size > MAX_REMEMBERED && oldest !== undefined) digests.delete(oldest);
    },
    has: (key: string, digest: string): boolean => digests.get(key) === digest,
    delete: (key: string): boolean => digests.delete(key),
  };
}

function foreignObject(): FreshetError {
  return new FreshetError('Another object stands under a key that was drawn for this one (aws_http_412).', {
    failureClass: 'unknown',
    code: 'aws_http_412',
  });
}

/**
 * Starts reading an object; undefined where S3 says that there is none.
 * S3 says so only to those who may list the bucket.
 */
async function startReading(
  client: S3Client,
  place: { readonly Bucket: string; readonly Key: string },
  deadline: AbortSignal,
): Promise<GetObjectCommandOutput | undefined> {
  const command = new GetObjectCommand({ ...place, ChecksumMode: 'ENABLED' });
  const get = () => client.send(command, { abortSignal: deadline });
  return callAws('S3', () => allowMissing(get, error => errorName(error) === 'NoSuchKey'));
}

/**
 * Reads the whole body of an object; the SDK checks its checksum on the way.
 * Reading stops at `maxObjectBytes`, whatever the header said.
 * @throws FreshetError `object_too_large`, of class `unknown`
 * @throws FreshetError `aws_body_broken`, of class `transient`
 */
async function readBody(answer: GetObjectCommandOutput, maxObjectBytes: number): Promise<Buffer> {
  const { Body, ContentLength } = answer;
  if (!(Body instanceof Readable)) throw brokenBody();
  if (ContentLength !== undefined && ContentLength > maxObjectBytes) {
    Body.destroy();
    throw tooLarge(maxObjectBytes);
  }
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of Body) {
      bytes += chunk.length;
      if (bytes > maxObjectBytes) throw tooLarge(maxObjectBytes);
      chunks.push(chunk);
    }
  } catch (error) {
    // The connection broke or stalled, or the checksum differs.
    throw error instanceof FreshetError ? error : brokenBody();
  }
  if (ContentLength !== undefined && bytes !== ContentLength) throw brokenBody();
  return Buffer.concat(chunks, bytes);
}

function tooLarge(maxObjectBytes: number): FreshetError {
  return new FreshetError(`S3 holds an object of over ${maxObjectBytes} bytes, which is none of ours.`, {
    failureClass: 'unknown',
    code: 'object_too_large',
  });
}

function brokenBody(): FreshetError {
  return new FreshetError('S3 did not send the whole object (aws_body_broken): it is tried again.', {
    failureClass: 'transient',
    code: 'aws_body_broken',
  });
}
