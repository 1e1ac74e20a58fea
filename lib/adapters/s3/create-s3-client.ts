import { S3Client } from '@aws-sdk/client-s3';
import { type ClientAccess, clientSettings } from '../aws/client-settings.ts';

/** Objects are a few megabytes, which take well below a second. */
export function createS3Client(access: ClientAccess): S3Client {
  return new S3Client({
    ...clientSettings(access, { requestTimeoutMs: 8_000 }),
    // A server given by its address has no bucket's host name.
    forcePathStyle: access.endpoint !== undefined,
    // Bodies over 2 MB would otherwise wait for a "100 Continue", each on a connection of its own.
    expectContinueHeader: false,
  });
}
