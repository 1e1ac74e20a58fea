import { Duration, RemovalPolicy } from 'aws-cdk-lib';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import { BlockPublicAccess, Bucket, BucketEncryption, type IBucket } from 'aws-cdk-lib/aws-s3';
import { Construct } from 'constructs';
import { CLAIM_RETENTION_DAYS } from '../core/messages.ts';
import { acknowledge } from './acknowledge.ts';

interface ClaimsBucketProps {
  /** Undefined: the objects are encrypted by S3. */
  readonly key: IKey | undefined;
  /** Whether a function of the CDK's empties the bucket when the bucket is deleted. */
  readonly emptied: boolean;
}

/**
 * The bucket of result objects between `embed` and `write`.
 * `write` removes what it has written. What is never written outlives every message that names it;
 * a dead letter stays 14 days from its first send. What a late redrive finds gone is embedded
 * again. The bucket is not versioned: vectors are deleted with their rows.
 */
export class ClaimsBucket extends Construct {
  readonly bucket: Bucket;

  constructor(scope: Construct, id: string, { key, emptied }: ClaimsBucketProps) {
    super(scope, id);
    this.bucket = new Bucket(this, 'Bucket', {
      blockPublicAccess: BlockPublicAccess.BLOCK_ALL,
      ...(key === undefined
        ? { encryption: BucketEncryption.S3_MANAGED }
        : { encryption: BucketEncryption.KMS, encryptionKey: key, bucketKeyEnabled: true }),
      enforceSSL: true,
      lifecycleRules: [
        {
          expiration: Duration.days(CLAIM_RETENTION_DAYS),
          abortIncompleteMultipartUploadAfter: Duration.days(1),
        },
      ],
      removalPolicy: RemovalPolicy.DESTROY,
      autoDeleteObjects: emptied,
    });
    acknowledge(
      this.bucket,
      'AwsSolutions-S1',
      'Objects are written and read once, by two functions, and expire; who must audit reads turns on ' +
        'data events in CloudTrail, which need no second bucket.',
    );
  }
}

/** A bucket of this stack, or a bucket that exists already. */
export type ModelStore = Pick<IBucket, 'arnForObjects' | 'bucketArn' | 'bucketName' | 's3UrlForObject'>;

/**
 * The bucket of published models, each under a prefix that is its content's digest.
 * The bucket is kept when the stack goes: spaces of vectors outlive an endpoint.
 */
export class WeightsBucket extends Construct {
  readonly bucket: Bucket;

  constructor(scope: Construct, id: string) {
    super(scope, id);
    this.bucket = new Bucket(this, 'Bucket', {
      blockPublicAccess: BlockPublicAccess.BLOCK_ALL,
      encryption: BucketEncryption.S3_MANAGED,
      enforceSSL: true,
      lifecycleRules: [{ abortIncompleteMultipartUploadAfter: Duration.days(1) }],
      removalPolicy: RemovalPolicy.RETAIN,
    });
    acknowledge(
      this.bucket,
      'AwsSolutions-S1',
      'It holds published weights, no data of the application; who must audit reads turns on data ' +
        'events in CloudTrail, which need no second bucket.',
    );
  }
}
