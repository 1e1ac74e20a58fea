import {
  CfnSecurityGroupIngress,
  type ISecurityGroup,
  type IVpc,
  Peer,
  Port,
  SecurityGroup,
  type SubnetSelection,
} from 'aws-cdk-lib/aws-ec2';
import { Construct } from 'constructs';
import type { ModelDefinition } from '../core/model.ts';

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

interface PipelineNetworkProps {
  readonly vpc: IVpc;
  readonly vpcSubnets: SubnetSelection;
  readonly ipv6: boolean;
  readonly database: PipelineDatabase;
  readonly models: readonly ModelDefinition[];
}

/** Port of PostgreSQL where `PipelineDatabase` names none. */
export const DEFAULT_DATABASE_PORT = 5432;

export const HTTPS_PORT = 443;

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
    const { securityGroup: databaseGroup, port = DEFAULT_DATABASE_PORT } = props.database;
    const group = new SecurityGroup(this, 'SecurityGroup', {
      vpc: props.vpc,
      description: 'Functions of Freshet: to the database, to AWS, to the models',
      allowAllOutbound: false,
    });
    group.addEgressRule(databaseGroup, Port.tcp(port), 'the database');
    for (const endpointPort of new Set([HTTPS_PORT, ...props.models.map(endpointPortOf)])) {
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

/** The port of a model's endpoint, as its `baseUrl` says or implies. */
function endpointPortOf({ baseUrl }: ModelDefinition): number {
  const url = baseUrl === undefined ? null : URL.parse(baseUrl);
  if (url === null) return HTTPS_PORT;
  return url.port === '' ? (url.protocol === 'http:' ? 80 : HTTPS_PORT) : Number(url.port);
}
