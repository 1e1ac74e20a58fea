import { ArnFormat, Stack } from 'aws-cdk-lib';
import type { ISecurityGroup } from 'aws-cdk-lib/aws-ec2';
import { PolicyStatement } from 'aws-cdk-lib/aws-iam';
import type { Construct } from 'constructs';

/**
 * The user's database, which exists already.
 * Nothing here makes, changes or deletes a database.
 */
export interface PipelineDatabase {
  readonly host: string;
  /**
   * Port of the server.
   * @default 5432
   */
  readonly port?: number;
  /** Name of the database. */
  readonly name: string;
  /**
   * ARN of a secret of Secrets Manager: JSON with `username` and `password`.
   * Give this or `iam`.
   */
  readonly secretArn?: string;
  /**
   * ARN of the KMS key of the secrets.
   * @default the account's key for Secrets Manager
   */
  readonly secretKeyArn?: string;
  /**
   * IAM authentication as a user that has `rds_iam`.
   * `resourceId` is the id of the cluster, instance or proxy.
   */
  readonly iam?: { readonly user: string; readonly resourceId: string };
  /** The security group of the database, which gets a rule that lets the functions in. */
  readonly securityGroup: ISecurityGroup;
  /**
   * The authority that signs the server's certificate; `proxy` where the host is an RDS Proxy.
   * @default rds
   */
  readonly certificateAuthority?: 'rds' | 'proxy';
  /**
   * Connections that the functions may hold together.
   * @default 60
   */
  readonly maxConnections?: number;
}

/** The rights that a function needs to log in to the database. */
export function databaseStatements(scope: Construct, database: PipelineDatabase): PolicyStatement[] {
  if (database.secretArn !== undefined)
    return secretStatements(scope, [database.secretArn], database.secretKeyArn);
  if (database.iam === undefined) return [];
  const { user, resourceId } = database.iam;
  const resource = Stack.of(scope).formatArn({
    service: 'rds-db',
    resource: 'dbuser',
    resourceName: `${resourceId}/${user}`,
    arnFormat: ArnFormat.COLON_RESOURCE_NAME,
  });
  return [new PolicyStatement({ actions: ['rds-db:connect'], resources: [resource] })];
}

/**
 * The right to read exactly these secrets.
 * With a key of the user's own, the statements also allow the use of the key, through Secrets
 * Manager only.
 */
export function secretStatements(
  scope: Construct,
  secretArns: readonly string[],
  keyArn: string | undefined,
): PolicyStatement[] {
  if (secretArns.length === 0) return [];
  const read = new PolicyStatement({
    actions: ['secretsmanager:GetSecretValue'],
    resources: [...new Set(secretArns)].sort(),
  });
  if (keyArn === undefined) return [read];
  const viaService = `secretsmanager.${Stack.of(scope).region}.${Stack.of(scope).urlSuffix}`;
  return [
    read,
    new PolicyStatement({
      actions: ['kms:Decrypt'],
      resources: [keyArn],
      conditions: { StringEquals: { 'kms:ViaService': viaService } },
    }),
  ];
}
