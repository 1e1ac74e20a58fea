import { Stack } from 'aws-cdk-lib';
import { PolicyStatement, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import { QueueEncryption, type QueueProps } from 'aws-cdk-lib/aws-sqs';
import type { Construct } from 'constructs';

/**
 * Keys of KMS of one's own, each for one kind of thing; one key can serve several kinds.
 * The roles get the rights that their use takes. The policy of a key must let IAM of the account
 * decide, as that of every key of the CDK does. The policy of a key for logs must also let
 * CloudWatch Logs use it, which is written where the key belongs to the same app.
 */
export interface EncryptionKeys {
  /** Of all queues, dead-letter queues included. They hold ids of rows and no text. */
  readonly queues?: IKey;
  /** Of the bucket of result objects, which hold vectors. */
  readonly claims?: IKey;
  /** Of the log groups. */
  readonly logs?: IKey;
  /** Of the functions' environments. */
  readonly environment?: IKey;
}

/** The encryption of a queue: by a key of one's own, or by a key of SQS. */
export function encryptionOf(key: IKey | undefined): Pick<QueueProps, 'encryption' | 'encryptionMasterKey'> {
  return key === undefined
    ? { encryption: QueueEncryption.SQS_MANAGED }
    : { encryption: QueueEncryption.KMS, encryptionMasterKey: key };
}

/**
 * The right to read what a key encrypts, or to write it too, through one service only.
 * @param service the service whose name stands before the region in `kms:ViaService`
 */
export function keyStatements(
  scope: Construct,
  key: IKey | undefined,
  service: 's3' | 'sqs',
  use: 'read' | 'write',
): PolicyStatement[] {
  if (key === undefined) return [];
  const { region, urlSuffix } = Stack.of(scope);
  return [
    new PolicyStatement({
      actions: use === 'read' ? ['kms:Decrypt'] : ['kms:Decrypt', 'kms:GenerateDataKey'],
      resources: [key.keyArn],
      conditions: { StringEquals: { 'kms:ViaService': `${service}.${region}.${urlSuffix}` } },
    }),
  ];
}

/** The right to read a function's own environment, which Lambda decrypts in the role's name. */
export function environmentKeyStatements(key: IKey | undefined): PolicyStatement[] {
  if (key === undefined) return [];
  return [new PolicyStatement({ actions: ['kms:Decrypt'], resources: [key.keyArn] })];
}

/** Lets CloudWatch Logs of this account and region use the key. */
export function allowLogs(scope: Construct, key: IKey | undefined): void {
  if (key === undefined) return;
  const { account, region, partition } = Stack.of(scope);
  key.addToResourcePolicy(
    new PolicyStatement({
      sid: 'AllowLogs',
      principals: [new ServicePrincipal(`logs.${region}.amazonaws.com`)],
      actions: [
        'kms:Encrypt',
        'kms:Decrypt',
        'kms:ReEncryptFrom',
        'kms:ReEncryptTo',
        'kms:GenerateDataKey',
        'kms:DescribeKey',
      ],
      resources: ['*'],
      conditions: {
        ArnLike: {
          'kms:EncryptionContext:aws:logs:arn': `arn:${partition}:logs:${region}:${account}:log-group:*`,
        },
      },
    }),
  );
}
