import { ArnFormat, Stack } from 'aws-cdk-lib';
import type { ISecurityGroup } from 'aws-cdk-lib/aws-ec2';
import { PolicyStatement } from 'aws-cdk-lib/aws-iam';
import type { Construct } from 'constructs';

/** The user's database: it exists already, and nothing here makes, changes or deletes one. */
export interface PipelineDatabase {
  readonly host: string;
  /** @default 5432 */
  readonly port?: number;
  /** Name of the database. */
  readonly name: string;
  /** Secrets Manager: JSON with `username` and `password`. Give this or `iam`. */
  readonly secretArn?: string;
  /** KMS key of the secrets. @default the account's key for Secrets Manager */
  readonly secretKeyArn?: string;
  /** IAM authentication as a user that has `rds_iam`; the id of the cluster, instance or proxy. */
  readonly iam?: { readonly user: string; readonly resourceId: string };
  /** Gets a rule that lets the functions in. */
  readonly securityGroup: ISecurityGroup;
  /** `proxy` where the host is an RDS Proxy. @default rds */
  readonly certificateAuthority?: 'rds' | 'proxy';
  /** Connections that the functions may hold together. @default 60 */
  readonly maxConnections?: number;
}

/** What a function needs to log in. */
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

/** Exactly these secrets; with a key of the user's own, its use through Secrets Manager only. */
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
