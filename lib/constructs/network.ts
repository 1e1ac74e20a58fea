import { ArnFormat, Stack } from 'aws-cdk-lib';
import {
  CfnSecurityGroupIngress,
  type ISecurityGroup,
  type IVpc,
  Peer,
  Port,
  SecurityGroup,
  type SubnetSelection,
} from 'aws-cdk-lib/aws-ec2';
import { PolicyStatement } from 'aws-cdk-lib/aws-iam';
import { Construct } from 'constructs';
import type { ModelDefinition } from '../core/model.ts';

export interface PipelineNetworkProps {
  readonly vpc: IVpc;
  readonly vpcSubnets: SubnetSelection;
  readonly ipv6: boolean;
  readonly database: PipelineDatabase;
  readonly models: readonly ModelDefinition[];
}

const HTTPS = 443;

/**
 * One security group for all functions.
 * Out go connections to the database, and to the ports of AWS and of the models' endpoints. Nothing
 * comes in.
 */
export class PipelineNetwork extends Construct {
  readonly vpc: IVpc;
  readonly vpcSubnets: SubnetSelection;
  readonly ipv6: boolean;
  readonly securityGroup: ISecurityGroup;

  constructor(scope: Construct, id: string, props: PipelineNetworkProps) {
    super(scope, id);
    this.vpc = props.vpc;
    this.vpcSubnets = props.vpcSubnets;
    this.ipv6 = props.ipv6;
    const { securityGroup: databaseGroup, port = 5432 } = props.database;
    const group = new SecurityGroup(this, 'SecurityGroup', {
      vpc: props.vpc,
      description: 'Functions of Freshet: to the database, to AWS, to the models',
      allowAllOutbound: false,
    });
    group.addEgressRule(databaseGroup, Port.tcp(port), 'the database');
    for (const endpointPort of new Set([HTTPS, ...props.models.map(endpointPortOf)])) {
      group.addEgressRule(Peer.anyIpv4(), Port.tcp(endpointPort), 'AWS and the models');
      if (props.ipv6)
        group.addEgressRule(Peer.anyIpv6(), Port.tcp(endpointPort), 'AWS and the models, by IPv6');
    }
    new CfnSecurityGroupIngress(this, 'DatabaseIngress', {
      groupId: databaseGroup.securityGroupId,
      sourceSecurityGroupId: group.securityGroupId,
      ipProtocol: 'tcp',
      fromPort: port,
      toPort: port,
      description: 'Functions of Freshet',
    });
    this.securityGroup = group;
  }
}

function endpointPortOf({ baseUrl }: ModelDefinition): number {
  const url = baseUrl === undefined ? null : URL.parse(baseUrl);
  if (url === null) return HTTPS;
  return url.port === '' ? (url.protocol === 'http:' ? 80 : HTTPS) : Number(url.port);
}

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
