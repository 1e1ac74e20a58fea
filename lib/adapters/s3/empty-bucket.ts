import { DeleteObjectsCommand, ListObjectsV2Command, type S3Client } from '@aws-sdk/client-s3';
import { FreshetError } from '../../core/errors/freshet-error.ts';
import { askAws } from '../aws/ask-aws.ts';

/**
 * Deletes every object of a bucket without versions.
 * Resolves with the number of deleted objects, which is 0 where the bucket no longer exists.
 */
export async function emptyBucket(client: S3Client, bucket: string): Promise<number> {
  let deleted = 0;
  for (;;) {
    const listed = await askAws('s3:ListBucket', () =>
      client.send(new ListObjectsV2Command({ Bucket: bucket })).catch(unlessGone),
    );
    const Objects = (listed?.Contents ?? []).map(({ Key }) => ({ Key: Key! }));
    if (Objects.length === 0) return deleted;
    const { Errors = [] } = await askAws('s3:DeleteObject', () =>
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

function unlessGone(error: unknown): undefined {
  if (error instanceof Error && error.name === 'NoSuchBucket') return undefined;
  throw error;
}
