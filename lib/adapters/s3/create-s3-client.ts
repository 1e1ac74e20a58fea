import { S3Client } from '@aws-sdk/client-s3';
import { type ClientAccess, clientSettings } from '../aws/client-settings.ts';

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
